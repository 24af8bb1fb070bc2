// The plugin as a program, in a network namespace that stands for a node.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createNetns, deleteNetns, withNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { answerCni } from '#node/cni/answer-cni.ts'
import { needOwnNetwork } from '#node/testing/own-network.ts'
import { type Call, installPlugin, startPlugin } from '#test/cni-plugin.ts'
import { need } from '#test/need.ts'
import { pythonServer } from '#test/python-server.ts'

const skip = need({ root: true, programs: ['python3', 'nft'] }) || needOwnNetwork()
const folder = mkdtempSync(join(tmpdir(), 'fairway-cni-'))
const program = skip ? '' : installPlugin(folder)
after(() => rmSync(folder, { recursive: true }))

const dataDir = join(folder, 'leases')
const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: '10.244.7.0/24' }], [{ subnet: 'fd00:7::/64' }]] }
const config = { cniVersion: '1.1.0', name: 'cbr0', type: 'fairway', hairpinMode: true, mtu: 1450, ipam }
/** In this process; what it is to be a program, the tests of kills and crowds see. */
const call = (command: string, id: string, change: object = {}, netns = pathOf(id)) => {
  const environment = { CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_IFNAME: 'eth0', CNI_NETNS: netns }
  const { exitCode, body = {} } = answerCni(environment, JSON.stringify({ ...config, ...change }))
  return { status: exitCode, body: body as Record<string, unknown>, text: JSON.stringify(body) }
}
const pathOf = (id: string) => `/run/netns/t-${id}`
const leases = () =>
  existsSync(join(dataDir, 'cbr0')) ? readdirSync(join(dataDir, 'cbr0')).filter((name) => /^[0-9a-f]/.test(name)) : []
const cables = () => {
  using route = openRoute()
  return route.links().filter(({ name }) => /^veth[0-9a-f]{8}$/.test(name))
}

/** A network namespace for a pod, or several. */
function pods(...ids: readonly string[]): Disposable {
  for (const id of ids) createNetns(pathOf(id))
  return {
    [Symbol.dispose]: () => {
      for (const id of ids) {
        call('DEL', id)
        deleteNetns(pathOf(id))
      }
    },
  }
}

test('ADD, CHECK, DEL, as often as one likes', { skip }, () => {
  using _pods = pods('a')
  assert.equal(call('STATUS', '').status, 0)
  const added = call('ADD', 'a')
  assert.equal(added.status, 0, added.text)
  assert.deepEqual(added.body['ips'], [
    { address: '10.244.7.2/24', gateway: '10.244.7.1', interface: 2 },
    { address: 'fd00:7::2/64', gateway: 'fd00:7::1', interface: 2 },
  ])
  {
    using inside = openRoute(pathOf('a'))
    const link = inside.link('eth0')!
    const [, , own] = added.body['interfaces'] as { mac: string; mtu: number }[]
    assert.deepEqual([link.mtu, link.up, link.mac], [1450, true, own!.mac])
    assert.equal(inside.routes({ family: 4 }).find(({ destination }) => destination === 'default')?.via, '10.244.7.1')
  }
  const prevResult = added.body
  assert.equal(call('CHECK', 'a', { prevResult }).status, 0)
  const again = call('ADD', 'a')
  assert.deepEqual(
    [again.status, again.body['code'], again.body['msg']],
    [1, 102, `eth0 exists already in ${pathOf('a')}`],
  )
  assert.equal(call('CHECK', 'a', { prevResult }).status, 0, 'what was there is untouched')
  const wrong = call('CHECK', 'a', { prevResult: { ips: [{ address: '10.244.7.77/24' }] } })
  assert.match(String(wrong.body['msg']), /^10\.244\.7\.77 is not leased to a$/)
  {
    using route = openRoute()
    route.deleteLink(cables()[0]!.name)
  }
  assert.match(String(call('CHECK', 'a', { prevResult }).body['msg']), /is missing or down/)
  for (let i = 0; i < 2; i++) assert.deepEqual([call('DEL', 'a').status, leases(), cables()], [0, [], []])
  const nowhere = call('ADD', 'b')
  assert.deepEqual([nowhere.status, nowhere.body['code']], [1, 3])
  assert.deepEqual(leases(), [])
})

test('GC takes away what has no container; the range is given round, and ends with a clear error', { skip }, () => {
  using _pods = pods('a', 'b', 'c')
  const small = { ipam: { ...ipam, ranges: [[{ subnet: '10.244.8.0/29' }]] }, name: 'small', bridge: 'cni-small' }
  for (const id of ['a', 'b', 'c']) assert.equal(call('ADD', id, small).status, 0)
  assert.equal(
    call('GC', '', { ...small, 'cni.dev/valid-attachments': [{ containerID: 'b', ifname: 'eth0' }] }).status,
    0,
  )
  assert.equal(cables().length, 1)
  const next = call('ADD', 'a', small)
  assert.deepEqual((next.body['ips'] as { address: string }[])[0]!.address, '10.244.8.5/29')
  for (const [i, ip] of ['10.244.8.2', '10.244.8.4', '10.244.8.6'].entries())
    writeFileSync(join(dataDir, 'small', ip), `stranger-${i}\r\neth0`)
  const full = call('ADD', 'c', small)
  assert.deepEqual([full.status, full.body['code']], [1, 100])
  assert.match(String(full.body['msg']), /no IP addresses available in range set: 10\.244\.8\.0\/29/)
  assert.equal(cables().length, 2, 'what was there is there')
  for (const id of ['a', 'b', 'c']) call('DEL', id, small)
  {
    using route = openRoute()
    route.deleteLink('cni-small')
  }
})

test('ports of the node lead into the pod: from the node, from others, from itself', { skip }, async () => {
  using _pods = pods('web', 'other')
  const portMappings = [
    { hostPort: 18080, containerPort: 80, protocol: 'tcp' },
    { hostPort: 18080, containerPort: 81, protocol: 'udp' },
    { hostPort: 18090, containerPort: 80, protocol: 'tcp', hostIP: '10.99.0.1' },
  ]
  {
    using route = openRoute()
    route.addVeth({ name: 'out', up: true, peer: { name: 'away', up: true } })
    route.addAddress({ link: 'out', cidr: '10.99.0.1/24' })
    route.addAddress({ link: 'out', cidr: 'fd99::1/64' })
  }
  assert.equal(call('ADD', 'web', { runtimeConfig: { portMappings } }).status, 0)
  assert.equal(call('ADD', 'other').status, 0)
  await using _server = await serve(pathOf('web'))
  const ask = (from: string | undefined, protocol: string, host: string, port: number) =>
    withNetns(from, () => spawnSync('python3', ['-c', clientText, protocol, host, String(port)]))
      .stdout.toString()
      .trim()
  for (const [from, host, port, seenFrom] of [
    [undefined, '127.0.0.1', 18080, '10.244.7.1'],
    [undefined, '10.99.0.1', 18080, '10.99.0.1'],
    [undefined, '10.99.0.1', 18090, '10.99.0.1'],
    [pathOf('other'), '10.99.0.1', 18080, '10.244.7.1'],
    [pathOf('web'), '10.99.0.1', 18080, '10.244.7.1'],
    [pathOf('other'), 'fd99::1', 18080, 'fd00:7::1'],
  ] as const)
    assert.equal(ask(from, 'tcp', host, port), seenFrom, `${from} to ${host}:${port}`)
  assert.equal(ask(pathOf('other'), 'udp', '10.99.0.1', 18080), '10.244.7.1')
  assert.equal(ask(undefined, 'tcp', '127.0.0.1', 18090), '', 'only the address that was said')
  call('DEL', 'other')
  const taken = call('ADD', 'other', { runtimeConfig: { portMappings: [portMappings[0]] } })
  assert.deepEqual([taken.status, taken.body['code']], [1, 101])
  assert.match(String(taken.body['msg']), /host port 18080\/tcp: another pod has it/)
  assert.equal(leases().length, 2, 'what was begun is undone')
  assert.equal(ask(undefined, 'tcp', '127.0.0.1', 18080), '10.244.7.1', 'the other pod still has it')
  call('DEL', 'web')
  assert.equal(ask(undefined, 'tcp', '127.0.0.1', 18080), '')
  assert.doesNotMatch(spawnSync('nft', ['list', 'table', 'ip', 'fairway-hostports']).stdout.toString(), / web /)
  using route = openRoute()
  route.deleteLink('out')
})

test('killed at any moment, then taken away and made again', { skip }, async () => {
  using _pods = pods('k')
  const add: Call = { command: 'ADD', id: 'k', netns: pathOf('k'), config }
  const begun = performance.now()
  assert.equal((await startPlugin(program, add)).status, 0)
  const wholeMs = performance.now() - begun
  call('DEL', 'k')
  let killed = 0
  for (const [i, share] of [0.3, 0.45, 0.6, 0.7, 0.8, 0.95].entries()) {
    const afterMs = share * wholeMs
    const { status } = await startPlugin(program, add, afterMs)
    if (status === null) killed++
    // A runtime asks for DEL after an ADD that has failed; some ask for ADD again at once.
    if (i % 2 === 0) call('DEL', 'k')
    const after = call('ADD', 'k')
    assert.ok(after.status === 0 || after.body['code'] === 102, after.text)
    const prevResult = { ips: leases().map((ip) => ({ address: `${ip}/24` })) }
    assert.equal(call('CHECK', 'k', { prevResult }).status, 0, `killed after ${afterMs} ms`)
    assert.deepEqual([leases().length, cables().length], [2, 1])
    call('DEL', 'k')
    assert.deepEqual([leases(), cables()], [[], []])
  }
  assert.ok(killed > 0, 'none was killed')
})

/** A pod that says who has asked it: TCP port 80, UDP port 81. Resolves when it does. */
const serve = (netns: string): Promise<AsyncDisposable> => pythonServer(netns, serverText)

const serverText = `
import socket, threading
def text(sender): return sender[0].replace('::ffff:', '').encode()
def tcp():
    while True:
        connection, sender = listener.accept()
        connection.sendall(text(sender))
        connection.close()
listener = socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True)
threading.Thread(target=tcp).start()
echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
echo.bind(('::', 81))
print('ready', flush=True)
while True:
    data, sender = echo.recvfrom(100)
    echo.sendto(text(sender), sender)
`
const clientText = `
import socket, sys
protocol, host, port = sys.argv[1:]
family = socket.AF_INET6 if ':' in host else socket.AF_INET
sock = socket.socket(family, socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM)
sock.settimeout(3)
try:
    sock.connect((host, int(port)))
    if protocol == 'udp': sock.send(b'?')
    print(sock.recv(100).decode())
except OSError: pass
`

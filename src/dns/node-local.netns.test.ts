// A node's own DNS server: a pod's queries pass connection tracking by, and a kill leaves nothing behind.
import * as assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { deviceName, tableName } from '#dns/node-local.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['ip', 'nft', 'dig', 'conntrack'], files: ['/dev/net/tun'] })
const node = `node-${process.pid}`
const pod = `pod-${process.pid}`
const addresses = ['169.254.20.10', '10.96.0.10', 'fd00::a']
const folder = mkdtempSync(join(tmpdir(), 'fairway-node-local-'))

const sh = (script: string) => execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: 'pipe' })
const onNode = (script: string) => sh(`ip netns exec ${node} ${script}`)

function start(): { readonly child: ChildProcess; stderr(): string } {
  const main = fileURLToPath(import.meta.resolve('#cli/main.ts'))
  const words = ['netns', 'exec', node, process.execPath, '--disable-warning=ExperimentalWarning', main, 'dns']
  const child = spawn('ip', [...words, '--conf', join(folder, 'Corefile'), '--node-local', addresses.join()], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', (bytes) => (text += String(bytes)))
  return { child, stderr: () => text }
}

/** A pod's question; what dig prints. */
const ask = (address: string, ...words: readonly string[]) =>
  spawnSync('ip', ['netns', 'exec', pod, 'dig', '+short', '+tries=1', '+time=2', `@${address}`, 'web.test', ...words], {
    encoding: 'utf8',
  }).stdout.trim()

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !holds(); await sleep(50))
    if (performance.now() > end) assert.fail('not within 30 s')
}

before(() => {
  if (skip) return
  writeFileSync(join(folder, 'Corefile'), '.:53 {\n  hosts {\n    192.0.2.7 web.test\n  }\n}\n')
  sh(`ip netns add ${node}; ip netns add ${pod}
    ip -n ${node} link set lo up
    ip -n ${node} link add pods type veth peer name eth0 netns ${pod}
    ip -n ${node} address add 10.244.0.1/24 dev pods; ip -n ${node} -6 address add fd01::1/64 dev pods nodad
    ip -n ${pod} address add 10.244.0.2/24 dev eth0; ip -n ${pod} -6 address add fd01::2/64 dev eth0 nodad
    ip -n ${node} link set pods up; ip -n ${pod} link set eth0 up
    ip -n ${pod} route add default via 10.244.0.1; ip -n ${pod} -6 route add default via fd01::1`)
  // Something that makes the kernel track connections, and sends the cluster's address elsewhere.
  onNode(
    `nft 'table ip other { chain c { type nat hook prerouting priority -100; ip daddr 10.96.0.10 dnat to 10.244.0.99; }; }'`,
  )
})
after(() => {
  if (!skip) sh(`ip netns delete ${node}; ip netns delete ${pod}`)
  rmSync(folder, { recursive: true })
})

test('node-local: answers past connection tracking, and leaves nothing behind when killed', { skip }, async () => {
  const tracked = () =>
    onNode('conntrack -L 2>/dev/null')
      .split('\n')
      .filter((line) => line.includes('port=53'))
  for (const round of ['first', 'after a kill']) {
    const { child } = start()
    await until(() => ask(addresses[0]!) === '192.0.2.7')
    for (const address of addresses)
      for (const words of [[], ['+tcp']])
        assert.equal(ask(address, ...words), '192.0.2.7', `${address} ${words} ${round}`)
    assert.equal(onNode('dig +short @169.254.20.10 web.test').trim(), '192.0.2.7')
    assert.deepEqual(tracked(), [])

    const second = start()
    const [code] = (await once(second.child, 'exit')) as [number]
    assert.equal(code, 1)
    assert.match(second.stderr(), /node-local addresses cannot be taken.*\n.*stop the other node-local DNS server/)
    assert.equal(ask(addresses[1]!), '192.0.2.7', 'the first one still answers')

    child.kill('SIGKILL')
    await once(child, 'exit')
    await until(() => !onNode('nft list tables').includes(tableName))
    await until(() => !onNode('ip -o link').includes(deviceName))
    // Whoever asks the cluster's address is led where the rules of the cluster lead.
    assert.equal(spawnSync('ip', ['netns', 'exec', node, 'ip', 'route', 'get', '10.96.0.10']).status === 0, false)
  }
})

test('node-local: ends cleanly', { skip }, async () => {
  const { child, stderr } = start()
  await until(() => ask(addresses[0]!) === '192.0.2.7')
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 0, stderr())
  assert.ok(!onNode('nft list tables').includes(tableName))
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planAttachment } from '#node/cni/attachment.ts'
import { planNetwork, renderSubnetFileConflist } from '#node/cni/network.ts'
import { CniError, parseRequest, renderError, resultOf } from '#node/cni/protocol.ts'

const ranges = [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:1::/64' }]]
const config = { cniVersion: '1.1.0', name: 'cbr0', type: 'fairway', ipam: { type: 'host-local', ranges } }
const container = { CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: '/run/netns/x' }
const files: Record<string, string> = { '/f': 'FLANNEL_SUBNET=10.244.9.1/24\nFLANNEL_MTU=1450\n' }
const parse = (command: string | undefined, change: object = {}, environment: object = {}) =>
  parseRequest(
    { ...container, ...(command !== undefined && { CNI_COMMAND: command }), ...environment },
    JSON.stringify({ ...config, ...change }),
    (path) => files[path],
  )
const codeOf = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return error instanceof CniError ? error.code : error
  }
  return 0
}

// Codes as the specification numbers them.
for (const [name, command, change, environment, code] of [
  ['a version of long ago', 'ADD', { cniVersion: '0.2.0' }, {}, 1],
  ['no version is 0.1.0', 'ADD', { cniVersion: undefined }, {}, 1],
  ['GC before 1.1', 'GC', { cniVersion: '1.0.0' }, {}, 1],
  ['STATUS before 1.1', 'STATUS', { cniVersion: '1.0.0' }, {}, 1],
  ['CHECK before 0.4', 'CHECK', { cniVersion: '0.3.1', prevResult: {} }, {}, 1],
  ['no command', undefined, {}, {}, 4],
  ['a word that is no command', 'UPDATE', {}, {}, 4],
  ['no container', 'ADD', {}, { CNI_CONTAINERID: '' }, 4],
  ['a container that leads out of its folder', 'ADD', {}, { CNI_CONTAINERID: '../x' }, 4],
  ['a name that is too long for an interface', 'DEL', {}, { CNI_IFNAME: 'a-very-long-name' }, 4],
  ['no namespace', 'ADD', {}, { CNI_NETNS: '' }, 4],
  ['both hairpin modes', 'ADD', { hairpinMode: true, promiscMode: true }, {}, 7],
  ['masquerading', 'ADD', { ipMasq: true }, {}, 7],
  ['no ranges', 'ADD', { ipam: {} }, {}, 7],
  ['a range without room', 'ADD', { ipam: { subnet: '10.0.0.0/31' } }, {}, 7],
  ['a name that is none', 'ADD', { name: 'a/b' }, {}, 7],
  ['half a port mapping', 'ADD', { runtimeConfig: { portMappings: [{ hostPort: 80 }] } }, {}, 7],
  ['CHECK without what was answered', 'CHECK', {}, {}, 7],
  ['flannel has not said anything: try later', 'ADD', { subnetFile: '/none' }, {}, 11],
  ['flannel has not said anything: not available', 'STATUS', { subnetFile: '/none' }, {}, 50],
  ['DEL needs no namespace', 'DEL', {}, { CNI_NETNS: '' }, 0],
  ['DEL needs no subnet.env', 'DEL', { subnetFile: '/none' }, {}, 0],
] as const)
  test(`CNI: ${name}`, () =>
    assert.equal(
      codeOf(() => parse(command, change, environment)),
      code,
    ))

test('CNI: what is no JSON', () =>
  assert.equal(
    codeOf(() => parseRequest({}, '{', () => undefined)),
    6,
  ))

test('CNI: VERSION needs nothing but itself', () => {
  const ask = (input: string) => parseRequest({ CNI_COMMAND: 'VERSION' }, input, () => undefined)
  assert.deepEqual(ask('{"cniVersion":"1.0.0"}'), { command: 'VERSION', version: '1.0.0' })
  assert.deepEqual(ask('{"cniVersion":"9.9.9"}'), { command: 'VERSION', version: '1.1.0' })
})

test('CNI: ranges and ports of a configuration, or of subnet.env', () => {
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '10.0.0.1' }]
  const add = parse('ADD', { hairpinMode: true, mtu: 1400, runtimeConfig: { portMappings } })
  assert.ok(add.command === 'ADD')
  assert.deepEqual(
    add.network.ranges.map(({ gateway }) => gateway),
    ['10.244.1.1', 'fd00:1::1'],
  )
  assert.deepEqual([add.network.hairpin, add.network.mtu], ['hairpin-veth', 1400])
  assert.deepEqual(add.hostPorts, [{ hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIp: '10.0.0.1' }])
  const { plugins, name } = JSON.parse(renderSubnetFileConflist('/f', 'promiscuous-bridge'))
  const status = parse('STATUS', { ...plugins[0], name, ipam: undefined })
  assert.ok(status.command === 'STATUS')
  assert.deepEqual([status.network.hairpin, status.network.mtu], ['promiscuous-bridge', 1450])
  assert.equal(status.network.ranges[0]!.gateway, '10.244.9.1')
})

test('CNI: the result, in each version’s form', () => {
  const network = planNetwork(['10.244.1.0/24', 'fd00:1::/64'], { hairpin: 'none', mtu: 1450 })!
  const attachment = planAttachment(
    network,
    { containerId: 'c1', ifname: 'eth0' },
    ['10.244.1.2', 'fd00:1::2'],
    '6.1.0',
  )
  const macs = { bridge: '0a:58:0a:f4:01:01', host: '00:00:00:00:00:01' }
  const result = resultOf('1.1.0', attachment, '/run/netns/x', macs) as { interfaces: object[] }
  assert.deepEqual(result, {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'cni0', mac: macs.bridge, mtu: 1450 },
      { name: attachment.hostLink, mac: macs.host, mtu: 1450 },
      { name: 'eth0', mac: '0a:58:0a:f4:01:02', mtu: 1450, sandbox: '/run/netns/x' },
    ],
    ips: [
      { address: '10.244.1.2/24', gateway: '10.244.1.1', interface: 2 },
      { address: 'fd00:1::2/64', gateway: 'fd00:1::1', interface: 2 },
    ],
    routes: [
      { dst: '0.0.0.0/0', gw: '10.244.1.1' },
      { dst: '::/0', gw: 'fd00:1::1' },
    ],
    dns: {},
  })
  const older = resultOf('1.0.0', attachment, '/run/netns/x', macs) as { interfaces: object[]; ips: object[] }
  assert.deepEqual(older.interfaces[0], { name: 'cni0', mac: macs.bridge })
  const oldest = resultOf('0.3.1', attachment, '/run/netns/x', macs) as { ips: { version: string }[] }
  assert.deepEqual(
    oldest.ips.map(({ version }) => version),
    ['4', '6'],
  )
  const error = new CniError('noAddress', 'none left')
  assert.deepEqual(renderError('1.0.0', error), { cniVersion: '1.0.0', code: 100, msg: 'none left' })
})

// The dump of the source document: `iptables -L -v -n -t nat` of a real cluster.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { percent } from '#trace/fraction.ts'
import { verdictsOf } from '#trace/outcome.ts'
import { firstPacket } from '#trace/packet.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { traceWorld } from '#trace/trace.ts'

const file = 'src/trace/testdata/iptables-list.txt'
const dump = { file, text: readFileSync(file, 'utf8') }
const addressDump = { file: 'ip-addr', text: '2: eth0: <UP> mtu 1500\n    inet 192.168.1.13/24 scope global eth0\n' }

function trace(
  source: string,
  destination: string,
  destinationPort: number,
  protocol = 'tcp',
  more = [] as { file: string; text: string }[],
) {
  const { world } = readWorld([dump, ...more])
  return verdictsOf(traceWorld(world, { packet: firstPacket({ protocol, source, destination, destinationPort }) }))
}
const plain = (verdicts: ReturnType<typeof trace>) =>
  verdicts
    .filter(({ conditions }) => conditions.every((condition) => condition.startsWith('not: destination')))
    .map(({ share, text }) => `${percent(share)} ${text}`)

/** What each virtual IP of the dump leads to, read by hand. */
const four = ['10.244.1.5:80', '10.244.1.6:80', '10.244.1.7:80', '10.244.1.8:80']
const entries: readonly [ip: string, port: number, protocol: string, endpoints: readonly string[]][] = [
  ['10.96.0.1', 443, 'tcp', ['192.168.1.13:6443']],
  ['10.96.0.10', 53, 'udp', ['10.244.0.2:53', '10.244.0.3:53']],
  ['10.96.0.10', 53, 'tcp', ['10.244.0.2:53', '10.244.0.3:53']],
  ['10.96.0.10', 9153, 'tcp', ['10.244.0.2:9153', '10.244.0.3:9153']],
  ['10.110.244.138', 8080, 'tcp', four],
  ['10.98.126.255', 8080, 'tcp', four],
]
const shareOf = (endpoints: readonly string[]) => ({ 1: '100%', 2: '50%', 4: '25%' })[endpoints.length]

/** Flannel's rules give what leaves the range of the pods the node's address. */
const leavesPods = (to: string) => (to.startsWith('10.244.') ? '' : ", from the node's own address")

for (const [ip, port, protocol, endpoints] of entries) {
  test(`trace: ${ip}:${port}/${protocol} from inside the pod range: equal shares, the source kept`, () => {
    assert.deepEqual(
      plain(trace('10.244.1.9', ip, port, protocol)),
      endpoints.map((to) => `${shareOf(endpoints)} goes to ${to}${leavesPods(to)}`),
    )
  })
  test(`trace: ${ip}:${port}/${protocol} from outside: masqueraded`, () => {
    assert.deepEqual(
      plain(trace('192.0.2.7', ip, port, protocol)),
      endpoints.map((to) => `${shareOf(endpoints)} goes to ${to}, from the node's own address`),
    )
  })
}

test('trace: an endpoint that reaches itself is masqueraded, the others are not', () => {
  assert.deepEqual(
    plain(trace('10.244.1.5', '10.110.244.138', 8080)),
    [
      ...four.slice(1).map((to) => `25% goes to ${to}`),
      "25% goes to 10.244.1.5:80, from the node's own address",
    ].sort(),
  )
})

test('trace: the NodePort on an address of the node', () => {
  const outside = trace('192.0.2.7', '192.168.1.13', 30_001, 'tcp', [addressDump]).map(
    ({ share, text }) => `${percent(share)} ${text}`,
  )
  assert.deepEqual(
    outside,
    four.map((to) => `25% goes to ${to}, from the node's own address`),
  )
  assert.equal(trace('10.244.1.9', '192.168.1.13', 30_001, 'tcp', [addressDump]).length, 4)
})

test('trace: whether the address is the node’s own is a condition where nothing tells', () => {
  assert.deepEqual(
    new Set(trace('192.0.2.7', '192.168.1.13', 30_001).map(({ conditions }) => conditions[0])),
    new Set(['destination 192.168.1.13 is LOCAL here', 'not: destination 192.168.1.13 is LOCAL here']),
  )
})

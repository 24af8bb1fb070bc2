// Damaged dumps of every kind: a message or a partial answer, never a crash, and always a trace that ends.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { damage } from '#test/random-damage.ts'
import { randomIptables, randomNft } from '#test/random-rules.ts'
import { type Random, seeded } from '#test/random.ts'
import { explain } from '#trace/explain.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket } from '#trace/packet.ts'
import { closestRules } from '#trace/closest.ts'
import { type Input, readWorld } from '#trace/read/read-world.ts'
import { traceDocument } from '#trace/trace-json.ts'
import { TraceError, traceWorld } from '#trace/trace.ts'

const soak = process.env['FAIRWAY_SOAK'] === '1'
const cases = soak ? 20_000 : 200

const read = (path: string) => readFileSync(path, 'utf8')
const dumps: readonly ((random: Random) => Input)[] = [
  () => ({ file: 'iptables-list.txt', text: read('src/trace/testdata/iptables-list.txt') }),
  () => ({ file: 'iptables-save.txt', text: read('src/trace/testdata/kube-proxy.save') }),
  (random) => ({ file: 'random.save', text: randomIptables(random, 3) }),
  () => ({ file: 'nft.txt', text: read('src/kernel/nft/testdata/kube-proxy.nft') }),
  () => ({ file: 'everything.txt', text: read('src/kernel/nft/testdata/everything.nft') }),
  (random) => ({ file: 'random.nft', text: randomNft(random, 3) }),
  () => ({ file: 'nft.json', text: nftJson }),
]
const others: readonly Input[] = [
  {
    file: 'ip-addr.txt',
    text: '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n2: eth0@if5: <UP,LOWER_UP> mtu 1500\n    inet 10.168.0.2/24 scope global eth0\n3: cni0: <UP,LOWER_UP> mtu 1450\n    inet 10.244.0.1/24 scope global cni0\n',
  },
  {
    file: 'ip-route.json',
    text: '[{"dst":"default","gateway":"10.168.0.1","dev":"eth0","flags":[]},{"dst":"10.244.0.0/24","dev":"cni0","flags":[]}]',
  },
  { file: 'ip-rule.txt', text: '0:\tfrom all lookup local\n32766:\tfrom all lookup main\n' },
  {
    file: 'ipset.txt',
    text: 'create clients hash:ip family inet hashsize 1024 maxelem 65536\nadd clients 10.168.0.100\ncreate pairs hash:ip,port family inet\nadd pairs 10.244.0.11,tcp:8080\n',
  },
  { file: 'ipvsadm.txt', text: '-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.0.11:8080 -m -w 1\n' },
  {
    file: 'conntrack.txt',
    text: 'tcp 6 100 ESTABLISHED src=10.244.0.9 dst=10.96.0.1 sport=40000 dport=80 src=10.244.0.11 dst=10.244.0.9 sport=8080 dport=40000 [ASSURED] mark=0 use=1\n',
  },
  {
    file: 'sysctl.txt',
    text: 'net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.rp_filter = 2\nnet.bridge.bridge-nf-call-iptables = 1\n',
  },
  { file: 'ip-neigh.txt', text: '10.244.1.0 dev flannel.1 lladdr 2e:00:00:00:00:09 PERMANENT\n' },
  { file: 'bridge-fdb.txt', text: '2e:00:00:00:00:09 dev flannel.1 dst 10.168.0.3 self permanent\n' },
  {
    file: 'objects.yaml',
    text: 'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: default }\nspec: { nodeName: node-1 }\nstatus: { podIP: 10.244.0.11 }\n---\napiVersion: v1\nkind: Node\nmetadata: { name: node-1 }\nstatus: { addresses: [{ type: InternalIP, address: 10.168.0.2 }] }\n',
  },
]
const nftJson = JSON.stringify({
  nftables: [
    { table: { family: 'ip', name: 't' } },
    { chain: { family: 'ip', table: 't', name: 'c', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' } },
    {
      map: {
        family: 'ip',
        table: 't',
        name: 'm',
        type: ['ipv4_addr', 'inet_service'],
        map: 'verdict',
        elem: [[{ concat: ['10.96.0.1', 80] }, { goto: { target: 'd' } }]],
      },
    },
    { chain: { family: 'ip', table: 't', name: 'd' } },
    {
      rule: {
        family: 'ip',
        table: 't',
        chain: 'c',
        expr: [
          {
            vmap: {
              key: {
                concat: [
                  { payload: { protocol: 'ip', field: 'daddr' } },
                  { payload: { protocol: 'tcp', field: 'dport' } },
                ],
              },
              data: '@m',
            },
          },
        ],
      },
    },
    { rule: { family: 'ip', table: 't', chain: 'd', expr: [{ dnat: { addr: '10.244.0.11', port: 8080 } }] } },
  ],
})

const packets = [
  ['10.244.0.9', '10.96.0.1', 80],
  ['192.0.2.7', '10.168.0.2', 30_004],
  ['10.244.1.9', '10.110.244.138', 8080],
  ['fd00::1', 'fd00:96::1', 80],
] as const

test('trace: damaged dumps give a message or a partial answer', () => {
  const first = Number(process.env['FAIRWAY_SEED'] ?? (soak ? Math.floor(Math.random() * 2 ** 31) : 0))
  for (let seed = first; seed < first + cases; seed++) {
    const random = seeded(seed)
    const inputs = [random.pick(dumps)(random), ...others.filter(() => random.next() < 0.5)]
    const files = inputs.map((input) => (random.next() < 0.7 ? { ...input, text: damage(random, input.text) } : input))
    try {
      const { world, problems } = readWorld(files)
      for (const problem of problems) assert.ok(problem.length < 400 && !/\bat .*\.ts:\d/.test(problem), problem)
      const [source, destination, destinationPort] = random.pick(packets)
      const packet = firstPacket({
        protocol: random.pick(['tcp', 'udp', 'icmp']),
        source,
        destination,
        destinationPort,
      })
      const ways = traceWorld(world, { packet, all: random.next() < 0.3 })
      const closest = closestRules(world.machines, packet, ways)
      assert.ok(explain(packet, ways, { all: random.next() < 0.3, closest }).length > 10)
      JSON.stringify(traceDocument(packet, ways, { closest, problems }))
      assert.ok(ways.length > 0)
    } catch (error) {
      if (error instanceof TraceError && error.remedy.length > 0) continue
      throw new Error(
        `seed ${seed}: ${(error as Error).stack}\n${files
          .map(({ file, text }) => `== ${file}\n${text}`)
          .join('\n')
          .slice(0, 3000)}`,
        { cause: error },
      )
    }
  }
})

test('trace: rules that jump in circles, and contradicting objects, end', () => {
  const circle =
    '*nat\n:PREROUTING ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n-A PREROUTING -j A\n-A A -j B\n-A B -j A\nCOMMIT\n'
  const pod = (ip: string, node: string) => ({
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'default' },
    spec: { nodeName: node },
    status: { podIP: ip },
  })
  const objects = JSON.stringify({
    kind: 'List',
    items: [
      pod('10.244.0.9', 'x'),
      pod('10.244.0.9', 'y'),
      { kind: 'Pod', status: 3 },
      7,
      null,
      { kind: 'Service', metadata: { name: 's' }, spec: [] },
    ],
  })
  const { world } = readWorld([
    { file: 'a', text: circle },
    { file: 'b', text: objects },
  ])
  const packet = firstPacket({ protocol: 'tcp', source: '10.244.0.9', destination: '10.96.0.1', destinationPort: 80 })
  const [way] = traceWorld(world, { packet })
  assert.ok(
    way?.outcome.kind === 'ended' && way.outcome.end.kind === 'unknown' && /in a circle/.test(way.outcome.end.what),
  )
})

test('trace: rules that nothing decides are bounded', () => {
  const rules = Array.from(
    { length: 200 },
    (_, i) => `-A PREROUTING -m strange --number ${i} -j MARK --set-xmark 0x${(i + 1).toString(16)}/0xffffffff`,
  )
  const text = ['*mangle', ':PREROUTING ACCEPT [0:0]', ...rules, 'COMMIT', ''].join('\n')
  const { world } = readWorld([{ file: 'a', text }])
  const ways = traceWorld(world, {
    packet: firstPacket({ protocol: 'tcp', source: '192.0.2.1', destination: '10.0.0.1', destinationPort: 80 }),
  })
  assert.ok(ways.length > 500 && ways.some(({ outcome }) => outcome.kind === 'ended' && outcome.end.kind === 'unknown'))
})

test('trace: numbers that are none are no reason to fail', () => {
  const said = (text: string) => {
    const { world, problems } = readWorld([{ file: 'dump.txt', text }])
    const ways = traceWorld(world, {
      packet: firstPacket({ protocol: 'tcp', source: '10.0.0.9', destination: '10.96.0.1', destinationPort: 80 }),
    })
    return [...problems, ...ways.map((way) => `${renderWay(way)} if ${way.conditions.join(', ')}`)].join('\n')
  }
  assert.match(
    said(
      '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m statistic --mode random --probability 0ä5 -j DROP\nCOMMIT\n',
    ),
    /dropped by PREROUTING.* if "-m statistic --mode random --probability 0ä5" matches/,
  )
  const choice = 'dnat to numgen random mod 4000000000 map { 0 : 10.0.0.1 }'
  assert.match(
    said(`table ip t {\n chain c {\n  type nat hook prerouting priority -100; policy accept;\n  ${choice}\n }\n}\n`),
    /a choice of one of 4000000000 is not followed/,
  )
  assert.match(
    said('default proto static\n\tnexthop via 10.0.0.1 dev eth0 weight ä\n'),
    /dump\.txt:2: a line is not understood: nexthop/,
  )
})

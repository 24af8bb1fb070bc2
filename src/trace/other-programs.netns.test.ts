// Rules as other programs write them that people have on their nodes, in the tracer and in the kernel: what really happens to
// a packet is the verdict of the trace or one of its branches. The dumps are made up after the layouts of those programs.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { withNetns } from '#kernel/netns.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { canonicalIp } from '#lib/ip.ts'
import { need } from '#test/need.ts'
import { addresses, type Name } from '#test/proxy-topology.ts'
import {
  compare,
  traceProbe,
  forgetConnections,
  type Net,
  observe,
  type Probe,
  servingTopology,
} from '#test/trace-against-kernel.ts'
import { type Input, readWorld } from '#trace/read/read-world.ts'

const skip = need({ root: true, programs: ['iptables', 'nft', 'ipset', 'ip'] })

type Case = {
  /** of testdata/others */
  readonly files: readonly string[]
  readonly about: string
  /** in whose namespace the rules are */
  readonly at: 'node1' | 'a'
  readonly to: readonly (readonly [ip: string, ...ports: number[]])[]
  prepare?(net: Net): void
  /** conditions that the dumps leave open */
  readonly open?: RegExp
}

const usual = /the program answers from the address that was asked/

const run = (net: Net, at: Name, words: string, input?: string): string =>
  withNetns(net[at].netns, () => {
    const [program, ...rest] = words.split(' ')
    return execFileSync(program!, rest, { encoding: 'utf8', ...(input !== undefined && { input }) })
  })

const [node, podA, podB, podC] = [addresses.node1, addresses.a, addresses.b, addresses.c]
const sixes = { a: canonicalIp(podA[6])!, b: canonicalIp(podB[6])! }
const own: Case['to'] = [
  [node[4], 8080, 80, 9],
  [podA[4], 8080, 80, 9],
  [podB[4], 8080, 80],
  [podC[4], 8080],
]

const cases: readonly Case[] = [
  { about: 'Docker', files: ['docker.save'], at: 'node1', to: [...own, [node[4], 18_080], ['10.244.0.1', 18_080]] },
  { about: 'Docker with nftables', files: ['docker.nft'], at: 'node1', to: [...own, [node[4], 18_080]] },
  {
    about: 'firewalld',
    files: ['firewalld.nft'],
    at: 'node1',
    to: [...own, [node[4], 18_080, 8081], [node[6], 8080, 80], [sixes.a, 8080], [sixes.b, 8080], ['2002:1::1', 80]],
  },
  { about: 'ufw', files: ['ufw.save'], at: 'node1', to: own, open: /was seen by DEFAULT within 30 s/ },
  {
    about: 'kube-router, flannel',
    files: ['kube-router.ipset', 'kube-router.save'],
    at: 'node1',
    to: [...own, ['10.96.0.1', 80, 81]],
  },
  { about: 'flannel with nftables', files: ['flannel.nft'], at: 'node1', to: own },
  { about: 'portmap', files: ['portmap.save'], at: 'node1', to: [...own, [node[4], 18_080]] },
  { about: 'portmap with nftables', files: ['portmap.nft'], at: 'node1', to: [...own, [node[4], 18_080]] },
  {
    about: 'NodeLocal DNS',
    files: ['node-local-dns.save'],
    at: 'node1',
    to: [...own, ['169.254.20.10', 8080, 80], ['10.96.0.10', 8080]],
    prepare(net) {
      run(net, 'node1', 'ip link add nodelocaldns type bridge')
      run(net, 'node1', 'ip addr add 169.254.20.10/32 dev nodelocaldns')
      run(net, 'node1', 'ip addr add 10.96.0.10/32 dev nodelocaldns')
    },
  },
  {
    about: 'istio',
    files: ['istio.save'],
    at: 'a',
    to: [...own, ['10.96.0.1', 80]],
    open: /the program that sends on pod\/a has [ug]id 1337/,
  },
  { about: 'Cilium', files: ['cilium.save'], at: 'node1', to: own, open: /"-m socket --transparent" matches/ },
  {
    about: 'Calico',
    files: ['calico.ipset', 'calico.save'],
    at: 'node1',
    to: [...own, ['10.96.0.1', 80], ['203.0.113.9', 8080]],
    prepare: (net) => routedPods(net, 'cali0'),
  },
  {
    about: 'the AWS VPC CNI',
    files: ['aws-vpc.save'],
    at: 'node1',
    to: [...own, [node[4], 30_080, 30_081]],
    prepare(net) {
      routedPods(net, 'eni0')
      run(net, 'node1', `ip rule add to ${podA[4]} lookup main priority 512`)
      run(net, 'node1', 'ip rule add fwmark 0x80/0x80 lookup main priority 1024')
      run(net, 'node1', `ip rule add from ${podA[4]} lookup 2 priority 1536`)
      run(net, 'node1', 'ip route add unreachable default table 2')
      run(net, 'node1', `ip route add ${podC[4]} via ${addresses.node2[4]} table 2`)
    },
  },
]

/** Pods behind interfaces of their own, the node answering for everybody else. */
function routedPods(net: Net, prefix: string): void {
  for (const [name, ip] of [
    ['a', podA[4]],
    ['b', podB[4]],
  ] as const) {
    const device = `${prefix}${name}`
    for (const words of [`to-${name} nomaster`, `to-${name} down`, `to-${name} name ${device}`, `${device} up`])
      run(net, 'node1', `ip link set ${words}`)
    run(net, 'node1', `ip route add ${ip} dev ${device}`)
    writeSysctls({ [`net/ipv4/conf/${device}/proxy_arp`]: 1 }, net.node1.netns)
  }
}

/** Loads the files; the dumps that tell of them. */
function load(net: Net, { files, at }: Case): Input[] {
  const place = at === 'a' ? 'pods/default/a' : 'nodes/node1'
  return files.map((file) => {
    const text = readFileSync(`src/trace/testdata/others/${file}`, 'utf8')
    if (file.endsWith('.ipset')) {
      run(net, at, 'ipset restore', text)
      return { file: `${place}/ipset.txt`, text: run(net, at, 'ipset save') }
    }
    if (file.endsWith('.save')) {
      run(net, at, 'iptables-restore', text)
      return { file: `${place}/iptables-save.txt`, text: run(net, at, 'iptables-save') }
    }
    run(net, at, 'nft -f -', text)
    return { file: `${place}/nft.txt`, text: run(net, at, 'nft list ruleset') }
  })
}

for (const one of cases)
  test(`trace: rules of ${one.about}`, { skip, timeout: 60_000 }, async () => {
    await using net = await servingTopology()
    one.prepare?.(net)
    const known = await observe(net)
    const dumps = load(net, one)
    const probes: Probe[] = one.to.flatMap(([to, ...ports]) =>
      (['client', 'a', 'b', 'c', 'node1'] as const).flatMap((from) =>
        ports.flatMap((port) => (['tcp', 'udp'] as const).map((protocol) => ({ from, to, port, protocol }))),
      ),
    )
    const check = async (...rules: readonly Input[]) => {
      const { world, problems } = readWorld([...known, ...rules])
      assert.deepEqual(problems, [])
      const wrong = await compare(net, world, probes, 1)
      const conditions = probes.flatMap((probe) => traceProbe(world, probe).flatMap((way) => way.conditions))
      assert.deepEqual(
        [...new Set(conditions)].filter((text) => !usual.test(text) && one.open?.test(text) !== true),
        [],
      )
      assert.deepEqual(wrong, [], `${one.about}\n${wrong.join('\n')}`)
    }
    await check(...dumps)
    if (!one.files[0]!.endsWith('.nft')) return
    forgetConnections(net)
    const { files } = await collectNamespace(net[one.at].netns, false)
    await check({ file: 'nodes/node1/nftables.json', text: files.find(({ name }) => name === 'nftables.json')!.text })
  })

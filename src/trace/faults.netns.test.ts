// Networks that are broken beside the rules, in the tracer and in the kernel.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { withNetns } from '#kernel/netns.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { need } from '#test/need.ts'
import type { Name } from '#test/proxy-topology.ts'
import { compare, type Net, observe, run, servingTopology } from '#test/trace-against-kernel.ts'
import { type Input, readWorld } from '#trace/read/read-world.ts'

const skip = need({ root: true, programs: ['iptables', 'nft', 'ip'] })

type Fault = { readonly name: string; apply(net: Net): void; undo(net: Net): void }

const setting = (net: Net, values: Readonly<Record<string, string | number>>) =>
  void writeSysctls(values, net.node1.netns)
const sysctlFault = (name: string, key: string, broken: number, whole: number): Fault => ({
  name,
  apply: (net) => setting(net, { [key]: broken }),
  undo: (net) => setting(net, { [key]: whole }),
})
const commandFault = (name: string, apply: string, undo: string): Fault => ({
  name,
  apply: (net) => void run(net, apply.split(' ')),
  undo: (net) => void run(net, undo.split(' ')),
})

/** What breaks Services although the rules are right. */
const faults: readonly Fault[] = [
  { name: 'nothing', apply: () => undefined, undo: () => undefined },
  sysctlFault('no forwarding', 'net/ipv4/ip_forward', 0, 1),
  sysctlFault('what a bridge carries is not seen', 'net/bridge/bridge-nf-call-iptables', 0, 1),
  {
    name: 'no hairpin',
    apply: (net) => net.node1.route.setLink('to-a', { hairpin: false }),
    undo: (net) => net.node1.route.setLink('to-a', { hairpin: true }),
  },
  {
    name: 'no hairpin, and what a bridge carries is not seen',
    apply(net) {
      net.node1.route.setLink('to-a', { hairpin: false })
      setting(net, { 'net/bridge/bridge-nf-call-iptables': 0 })
    },
    undo(net) {
      net.node1.route.setLink('to-a', { hairpin: true })
      setting(net, { 'net/bridge/bridge-nf-call-iptables': 1 })
    },
  },
  commandFault('no route to the other node', 'ip route del 10.244.1.0/24', 'ip route add 10.244.1.0/24 via 10.168.0.3'),
  commandFault('a black hole', 'ip route add blackhole 10.244.1.0/25', 'ip route del blackhole 10.244.1.0/25'),
  commandFault(
    'an unreachable route',
    'ip route add unreachable 10.244.1.11/32',
    'ip route del unreachable 10.244.1.11/32',
  ),
  commandFault('a prohibited route', 'ip route add prohibit 10.244.1.11/32', 'ip route del prohibit 10.244.1.11/32'),
  commandFault(
    'two ways at once',
    'ip route replace 10.244.1.0/24 nexthop via 10.168.0.3 nexthop via 10.168.0.3',
    'ip route replace 10.244.1.0/24 via 10.168.0.3',
  ),
  {
    name: 'a rule that sends pods to a table of their own',
    apply(net) {
      run(net, 'ip route add unreachable default table 100'.split(' '))
      run(net, 'ip rule add from 10.244.0.11 to 10.244.1.0/24 lookup 100 priority 50'.split(' '))
    },
    undo(net) {
      run(net, 'ip rule del priority 50'.split(' '))
      run(net, 'ip route flush table 100'.split(' '))
    },
  },
  {
    name: 'answers that leave by another interface, strictly',
    apply(net) {
      setting(net, { 'net/ipv4/conf/all/rp_filter': 1 })
      run(net, 'ip route add 10.168.0.100/32 dev cni0'.split(' '))
    },
    undo(net) {
      run(net, 'ip route del 10.168.0.100/32 dev cni0'.split(' '))
      setting(net, { 'net/ipv4/conf/all/rp_filter': 0 })
    },
  },
  {
    name: 'answers that leave by another interface, loosely',
    apply(net) {
      setting(net, { 'net/ipv4/conf/all/rp_filter': 2 })
      run(net, 'ip route add 10.168.0.100/32 dev cni0'.split(' '))
    },
    undo(net) {
      run(net, 'ip route del 10.168.0.100/32 dev cni0'.split(' '))
      setting(net, { 'net/ipv4/conf/all/rp_filter': 0 })
    },
  },
  { name: 'a tunnel', apply: tunnel, undo: withoutTunnel },
  {
    name: 'a tunnel whose other end nobody knows',
    apply(net) {
      tunnel(net)
      net.node1.route.deleteForwarding({ link: 'flannel.1', mac: '2e:00:00:00:00:02', destination: '10.168.0.3' })
    },
    undo: withoutTunnel,
  },
  {
    name: 'a tunnel that a firewall stops',
    apply(net) {
      tunnel(net)
      withNetns(net.node2.netns, () => execFileSync('iptables', '-A INPUT -p udp --dport 8472 -j DROP'.split(' ')))
    },
    undo(net) {
      withNetns(net.node2.netns, () => execFileSync('iptables', ['-F', 'INPUT']))
      withoutTunnel(net)
    },
  },
]

const tunnelEnds = [
  { node: 'node1', number: 0, ip: '10.168.0.2', mac: '2e:00:00:00:00:01' },
  { node: 'node2', number: 1, ip: '10.168.0.3', mac: '2e:00:00:00:00:02' },
] as const

/** As flannel lays it. */
function tunnel(net: Net): void {
  for (const [i, own] of tunnelEnds.entries()) {
    const other = tunnelEnds[1 - i]!
    const { route } = net[own.node]
    route.addVxlan({
      name: 'flannel.1',
      id: 1,
      port: 8472,
      device: 'eth0',
      local: own.ip,
      mac: own.mac,
      mtu: 1450,
      up: true,
    })
    route.addAddress({ link: 'flannel.1', cidr: `10.244.${own.number}.0/32` })
    route.replaceNeighbour({ link: 'flannel.1', ip: `10.244.${other.number}.0`, mac: other.mac })
    route.replaceForwarding({ link: 'flannel.1', mac: other.mac, destination: other.ip })
    route.replaceRoute({
      destination: `10.244.${other.number}.0/24`,
      via: `10.244.${other.number}.0`,
      link: 'flannel.1',
      onlink: true,
    })
  }
}

function withoutTunnel(net: Net): void {
  for (const [i, own] of tunnelEnds.entries()) {
    const other = tunnelEnds[1 - i]!
    net[own.node].route.deleteLink('flannel.1')
    net[own.node].route.replaceRoute({ destination: `10.244.${other.number}.0/24`, via: other.ip })
  }
}

test('trace: what is wrong beside the rules is seen too', { skip, timeout: 110_000 }, async () => {
  await using net = await servingTopology()
  const rules = readFileSync('src/trace/testdata/kube-proxy.save', 'utf8').replaceAll(
    /-m nfacct --nfacct-name +\S+ /g,
    '',
  )
  run(net, ['iptables-restore'], rules)
  const probes = (['tcp', 'udp'] as const).flatMap((protocol) =>
    [
      ['a', '10.96.0.1', 80],
      ['a', '10.96.0.2', 80],
      ['client', '10.96.0.1', 80],
      ['client', '10.168.0.2', 30_005],
      ['node1', '10.96.0.1', 80],
      ['a', '10.244.1.11', 8080],
      ['b', '10.244.0.11', 8080],
    ].map(([from, to, port]) => ({ from: from as Name, to: to as string, port: port as number, protocol })),
  )
  for (const { name, apply, undo } of faults) {
    apply(net)
    const known = await observe(net)
    const dumps: Input[] = ['node1', 'node2'].map((node) => ({
      file: `nodes/${node}/iptables-save.txt`,
      text: withNetns(net[node as 'node1'].netns, () => execFileSync('iptables-save', { encoding: 'utf8' })),
    }))
    const { world, problems } = readWorld([...known, ...dumps])
    assert.deepEqual(problems, [])
    const wrong = await compare(net, world, probes, 6)
    undo(net)
    assert.deepEqual(wrong, [], `${name}\n${wrong.join('\n')}`)
  }
})

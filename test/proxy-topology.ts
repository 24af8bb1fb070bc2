// A small cluster network for proxies: a client and two nodes on a LAN; pods a and b on the first node, pod c on the second.
import { writeSysctls } from '#kernel/sysctl.ts'
import { createTopology, type Place, type Topology } from '#test/topology.ts'

export const names = ['lan', 'client', 'node1', 'node2', 'a', 'b', 'c'] as const
export type Name = (typeof names)[number]

/** Addresses by family. */
export const addresses = {
  client: { 4: '10.168.0.100', 6: 'fd00:168::100' },
  node1: { 4: '10.168.0.2', 6: 'fd00:168::2' },
  node2: { 4: '10.168.0.3', 6: 'fd00:168::3' },
  a: { 4: '10.244.0.11', 6: 'fd00:244:0:0::11' },
  b: { 4: '10.244.0.12', 6: 'fd00:244:0:0::12' },
  c: { 4: '10.244.1.11', 6: 'fd00:244:0:1::11' },
} as const

/** The client's other address. */
export const stranger = { 4: '10.168.0.101', 6: 'fd00:168::101' } as const

/** The client reaches everything through the first node, as if that were its router. */
export const createProxyTopology = (): Promise<Topology<Name>> => createTopology(names, wire)

type Bare = { readonly [N in Name]: Pick<Place, 'netns' | 'route'> }

function wire(places: Bare): void {
  places.lan.route.addBridge({ name: 'lan', up: true, multicastSnooping: false })
  for (const name of ['client', 'node1', 'node2'] as const) {
    cable(places.lan, 'lan', places[name], name)
    const { route } = places[name]
    route.addAddress({ link: 'eth0', cidr: `${addresses[name][4]}/24` })
    route.addAddress({ link: 'eth0', cidr: `${addresses[name][6]}/64` })
  }
  const client = places.client.route
  client.addAddress({ link: 'eth0', cidr: `${stranger[4]}/24` })
  client.addAddress({ link: 'eth0', cidr: `${stranger[6]}/64` })
  client.replaceRoute({ destination: '0.0.0.0/0', via: addresses.node1[4] })
  client.replaceRoute({ destination: '::/0', via: addresses.node1[6] })
  wireNode(places, 'node1', 0, ['a', 'b'], 'node2')
  wireNode(places, 'node2', 1, ['c'], 'node1')
}

function wireNode(
  places: Bare,
  name: 'node1' | 'node2',
  number: number,
  pods: readonly ('a' | 'b' | 'c')[],
  other: 'node1' | 'node2',
): void {
  const { route, netns } = places[name]
  writeSysctls(
    {
      'net/ipv4/ip_forward': 1,
      'net/ipv6/conf/all/forwarding': 1,
      'net/ipv4/conf/all/rp_filter': 0,
      // Refusals are answers by ICMP, of which the kernel sends few a second; and redirects count among them.
      'net/ipv4/icmp_ratelimit': 0,
      'net/ipv4/icmp_msgs_per_sec': 100_000,
      'net/ipv4/icmp_msgs_burst': 100_000,
      'net/ipv6/icmp/ratelimit': 0,
      'net/ipv4/conf/all/send_redirects': 0,
      'net/ipv4/conf/default/send_redirects': 0,
      'net/ipv4/conf/eth0/send_redirects': 0,
      'net/bridge/bridge-nf-call-iptables': 1,
      'net/bridge/bridge-nf-call-ip6tables': 1,
    },
    netns,
  )
  route.addBridge({ name: 'cni0', up: true, multicastSnooping: false })
  route.addAddress({ link: 'cni0', cidr: `10.244.${number}.1/24` })
  route.addAddress({ link: 'cni0', cidr: `fd00:244:0:${number}::1/64` })
  route.replaceRoute({ destination: `10.244.${1 - number}.0/24`, via: addresses[other][4] })
  route.replaceRoute({ destination: `fd00:244:0:${1 - number}::/64`, via: addresses[other][6] })
  // As a node has one: without a default route, nothing leaves for a Service's address.
  route.replaceRoute({ destination: '0.0.0.0/0', via: addresses.client[4] })
  route.replaceRoute({ destination: '::/0', via: addresses.client[6] })
  for (const pod of pods) {
    cable(places[name], 'cni0', places[pod], pod)
    route.setLink(`to-${pod}`, { hairpin: true })
    const there = places[pod].route
    there.addAddress({ link: 'eth0', cidr: `${addresses[pod][4]}/24` })
    there.addAddress({ link: 'eth0', cidr: `${addresses[pod][6]}/64` })
    there.replaceRoute({ destination: '0.0.0.0/0', via: `10.244.${number}.1` })
    there.replaceRoute({ destination: '::/0', via: `fd00:244:0:${number}::1` })
  }
}

function cable(at: Bare[Name], bridge: string, place: Bare[Name], name: string): void {
  at.route.addVeth({
    name: `to-${name}`,
    up: true,
    master: bridge,
    peer: { name: 'eth0', up: true },
    peerNetns: place.netns,
  })
}

// Every mode of the proxy in a network namespace of proxy-topology.ts, as it is with ordinary options.
import { silentLog } from '#daemon/log.ts'
import { openIpset } from '#kernel/ipset/ipset.ts'
import { openIpvs } from '#kernel/ipvs/ipvs.ts'
import { findIptables } from '#kernel/iptables/program.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import type { Dataplane } from '#proxy/dataplane.ts'
import { IptablesDataplane } from '#proxy/iptables/iptables-dataplane.ts'
import { IpvsDataplane } from '#proxy/ipvs/ipvs-dataplane.ts'
import { setIpvs } from '#proxy/ipvs/settings.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import { proxyDefaults } from '#proxy/options.ts'
import type { Family } from '#proxy/state.ts'
import { addresses } from '#test/proxy-topology.ts'

export type ProxyTestMode = { readonly name: string; open(family: Family, netns: string): Promise<Dataplane> }

const podCidr = { 4: '10.244.0.0/16', 6: 'fd00:244::/32' } as const
const serviceCidr = { 4: '10.96.0.0/12', 6: 'fd00:96::/108' } as const
const iptables = (backend: 'nft' | 'legacy') => async (family: Family, netns: string) =>
  new IptablesDataplane(
    await findIptables(family, { backend, netns }),
    {
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      local: { kind: 'cidr', cidr: podCidr[family] },
      localhostNodePorts: true,
      nodePortIps: 'all',
      conntrackLiberal: false,
    },
    silentLog,
    { written: () => undefined, failed: () => undefined },
  )

const nftables = (family: Family, netns: string) =>
  Promise.resolve(
    new NftablesDataplane(
      {
        family,
        masqueradeMark: 0x4000,
        masqueradeAll: false,
        local: { kind: 'cidr', cidr: podCidr[family] },
        nodePortIps: 'all',
        serviceCidrs: [serviceCidr[family]],
      },
      { failed: () => undefined },
      netns,
    ),
  )

const ownIps = { node1: addresses.node1, node2: addresses.node2 }
async function ipvs(family: Family, netns: string): Promise<Dataplane> {
  const kernel = openIpvs(netns)!
  setIpvs(kernel, proxyDefaults.ipvs, netns)
  const bridge = { 4: ['10.244.0.1', '10.244.1.1'], 6: ['fd00:244::1', 'fd00:244:0:1::1'] }[family]
  const isFirst = netns.endsWith('node1')
  const ips = [ownIps[isFirst ? 'node1' : 'node2'][family], bridge[isFirst ? 0 : 1]!]
  return new IpvsDataplane(
    { ipvs: kernel, ipset: openIpset(netns), route: openRoute(netns), iptables: await findIptables(family, { netns }) },
    {
      family,
      scheduler: 'rr',
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      local: { kind: 'cidr', cidr: podCidr[family] },
      nodePortIps: ips,
      ownIps: ips,
      excludeCidrs: [],
    },
  )
}

export const modes: readonly ProxyTestMode[] = [
  { name: 'iptables (nft)', open: iptables('nft') },
  { name: 'iptables (legacy)', open: iptables('legacy') },
  { name: 'nftables', open: nftables },
  { name: 'ipvs', open: ipvs },
]

// What the rules of an address family depend on besides Services: decided from the options, the Node and the addresses
// of the machine. When it changes, all rules are written anew.
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { type Ip, isLoopback } from '#lib/ip.ts'
import type { LocalDetector } from '#proxy/local-detector.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { Family, NodePlace, NodeView } from '#proxy/state.ts'

export type Environment = {
  readonly node: NodePlace
  readonly local: LocalDetector
  readonly nodePortIps: 'all' | readonly Ip[]
  readonly localhostNodePorts: boolean
  /** in IPVS mode: the addresses of the machine that other machines may reach */
  readonly machineIps: readonly Ip[]
  /** the addresses by which others reach the node, which Services must not take; undefined: they may */
  readonly ownIps: readonly Ip[] | undefined
  /** in IPVS mode: the addresses of other nodes, which Services must not take either */
  readonly peerIps: readonly Ip[]
  /** in nftables mode: the cluster's ranges of cluster IPs */
  readonly serviceCidrs: readonly string[]
}

type Told = Pick<
  ProxyOptions,
  | 'mode'
  | 'detectLocalMode'
  | 'clusterCidrs'
  | 'podBridgeInterface'
  | 'podInterfaceNamePrefix'
  | 'localhostNodePorts'
  | 'nodePortAddresses'
  | 'nodeIp'
  | 'allowNodeCapture'
>

/** `machineIps`: every address of the machine, both families. */
export function planEnvironment(options: Told, node: NodeView, machineIps: readonly Ip[], family: Family): Environment {
  const { nodeIp } = options
  const isOwn = nodeIp !== undefined && nodeIp.includes(':') === (family === 6)
  const { name, zone } = node
  const known: NodePlace = { name, zone, ips: isOwn ? { ...node.ips, [family]: nodeIp } : node.ips }
  const { mode, nodePortAddresses } = options
  const isDefault = nodePortAddresses.length === 0 && mode === 'nftables'
  const ranges = rangesOf(isDefault ? ['primary'] : nodePortAddresses, known, family)
  const matches = (ip: Ip) => ranges.some((range) => containsIp(range, ip))
  const isAll = ranges.length === 0 || ranges.some(({ prefix }) => prefix === 0)
  const isOfFamily = (ip: Ip) => ip.includes(':') === (family === 6)
  const reachable = mode === 'ipvs' ? machineIps.filter((ip) => isOfFamily(ip) && isReachable(ip)).sort() : []
  const isAllowed = (ip: Ip) => mode !== 'ipvs' || !isLoopback(ip)
  return {
    node: known,
    local: planDetector(options, node.podCidrs, family),
    nodePortIps: isAll ? 'all' : machineIps.filter((ip) => matches(ip) && isAllowed(ip)).sort(),
    machineIps: reachable,
    peerIps: mode === 'ipvs' ? node.peers : [],
    serviceCidrs: mode === 'nftables' ? node.serviceCidrs.filter((cidr) => cidr.includes(':') === (family === 6)) : [],
    ownIps: options.allowNodeCapture ? undefined : ownIps(nodeIp, node),
    localhostNodePorts:
      options.localhostNodePorts &&
      mode === 'iptables' &&
      family === 4 &&
      (isAll || matches('127.0.0.0') || ranges.some(isLoopbackRange)),
  }
}

const isReachable = (ip: Ip) => !isLoopback(ip) && !/^fe[89ab]/.test(ip)
const ownIps = (nodeIp: Ip | undefined, { addresses }: NodeView): readonly Ip[] =>
  nodeIp === undefined || addresses.includes(nodeIp) ? addresses : [nodeIp, ...addresses]

const isLoopbackRange = ({ base }: { readonly base: Uint8Array }) => base.length === 4 && base[0] === 127

function rangesOf(texts: readonly string[], node: NodePlace, family: Family) {
  const ip = node.ips[family]
  const own = ip === undefined ? [] : [`${ip}/${family === 4 ? 32 : 128}`]
  const wanted = texts.length === 1 && texts[0] === 'primary' ? own : texts
  return wanted.flatMap((text) => parseCidr(text) ?? []).filter(({ base }) => base.length === (family === 4 ? 4 : 16))
}

function planDetector(options: Told, podCidrs: readonly string[], family: Family): LocalDetector {
  const { detectLocalMode, clusterCidrs, podBridgeInterface, podInterfaceNamePrefix } = options
  const cidrOf = (cidrs: readonly string[]): LocalDetector => {
    const cidr = cidrs.find((text) => text.includes(':') === (family === 6))
    return cidr === undefined ? { kind: 'none' } : { kind: 'cidr', cidr }
  }
  switch (detectLocalMode) {
    case 'ClusterCIDR':
      return cidrOf(clusterCidrs)
    case 'NodeCIDR':
      return cidrOf(podCidrs)
    case 'BridgeInterface':
      return podBridgeInterface === undefined ? { kind: 'none' } : { kind: 'bridge', interface: podBridgeInterface }
    case 'InterfaceNamePrefix':
      return podInterfaceNamePrefix === undefined
        ? { kind: 'none' }
        : { kind: 'prefix', prefix: podInterfaceNamePrefix }
  }
}

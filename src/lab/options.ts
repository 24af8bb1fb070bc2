// What a cluster is asked to be, checked before anything is made.
import { formatCidr, hostAt, overlaps, parseCidr, sizeOf, type Cidr } from '#lib/cidr.ts'
import { UserError } from '#daemon/error.ts'

/** How Services get into the nodes' kernels. */
export const proxyModes = ['nftables', 'iptables', 'ipvs'] as const
export type ProxyMode = (typeof proxyModes)[number]

export type ClusterOptions = {
  readonly name: string
  /** networks of the nodes: with 2, every second node is behind a router from the others */
  readonly subnets: number
  readonly proxyMode: ProxyMode
  /** flannel's back end */
  readonly podNetwork: 'vxlan' | 'host-gw' | 'udp'
  /** who makes load balancers */
  readonly loadBalancer: 'pool' | 'appliance' | 'none'
  /** a DNS server on each node too */
  readonly nodeLocalDns: boolean
  /** an Ingress controller behind a load balancer */
  readonly ingress: boolean
  readonly podCidr: string
  readonly serviceCidr: string
  /** `30000-32767` */
  readonly serviceNodePortRange: string
  readonly clusterDomain: string
  readonly hairpinMode: 'hairpin-veth' | 'promiscuous-bridge' | 'none'
  /** The network of the nodes, a /24. */
  readonly lanCidr: string
}

export const defaultOptions: ClusterOptions = {
  name: 'fairway',
  subnets: 1,
  proxyMode: 'nftables',
  podNetwork: 'vxlan',
  loadBalancer: 'pool',
  nodeLocalDns: false,
  ingress: false,
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/12',
  serviceNodePortRange: '30000-32767',
  clusterDomain: 'cluster.local',
  hairpinMode: 'hairpin-veth',
  lanCidr: '10.168.0.0/24',
}

/** Where the client outside the cluster lives: TEST-NET-3 of RFC 5737, which is nobody's. */
export const outsideCidr = '203.0.113.0/24'

/** Of a cluster: part of names of files, links and namespaces. */
export const isClusterName = (text: string): boolean => /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(text)
export const clusterNameForm = 'up to 40 lower-case letters, digits and dashes, beginning with a letter'

/** Throws a UserError that names the flag and what it takes; answers the options in canonical form. */
export function checkOptions(options: ClusterOptions): ClusterOptions {
  if (![1, 2].includes(options.subnets)) throw refuse('--subnets', String(options.subnets), '1 or 2')
  const pods = network('--pod-cidr', options.podCidr, 8, 24)
  const services = network('--service-cidr', options.serviceCidr, 8, 24)
  const lan = network('--lan-cidr', options.lanCidr, 24, 24)
  const outside = parseCidr(outsideCidr)!
  const ranges: readonly (readonly [string, Cidr])[] = [
    ['--pod-cidr', pods],
    ['--service-cidr', services],
    ['--lan-cidr', lan],
    ['the outside network', outside],
  ]
  for (const [i, [flag, range]] of ranges.entries())
    for (const [otherFlag, other] of ranges.slice(0, i))
      if (overlaps(range, other))
        throw new UserError(`${otherFlag} ${formatCidr(other)} and ${flag} ${formatCidr(range)} overlap`, {
          code: 'RangesOverlap',
          remedy: `choose another range with ${otherFlag}`,
        })
  checkPortRange(options.serviceNodePortRange)
  if (!/^([a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(options.clusterDomain))
    throw refuse('--cluster-domain', options.clusterDomain, 'a DNS name in lower case, as cluster.local')
  return { ...options, podCidr: formatCidr(pods), serviceCidr: formatCidr(services), lanCidr: formatCidr(lan) }
}

/** The address of the API server's Service and of the DNS Service: the 1st and the 10th of the range, as everywhere. */
export const serviceAddresses = (options: ClusterOptions): { readonly kubernetes: string; readonly dns: string } => {
  const range = parseCidr(options.serviceCidr)!
  return { kubernetes: hostAt(range, 1), dns: hostAt(range, 10) }
}

function network(flag: string, text: string, shortest: number, longest: number): Cidr {
  const cidr = parseCidr(text)
  if (cidr === undefined || cidr.base.length !== 4) throw refuse(flag, text, 'an IPv4 network, as 10.244.0.0/16')
  if (cidr.prefix < shortest || cidr.prefix > longest)
    throw refuse(
      flag,
      text,
      shortest === longest
        ? `the prefix must be /${shortest}`
        : `the prefix must lie between /${shortest} and /${longest} (${sizeOf({ ...cidr, prefix: longest })} addresses at least)`,
    )
  return cidr
}

function checkPortRange(text: string): void {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []
  const [low, high] = [Number(first), Number(last)]
  if (first === undefined || low < 1 || high > 65535 || low > high)
    throw refuse('--service-node-port-range', text, 'two ports, as 30000-32767')
}

const refuse = (flag: string, value: string, wanted: string): UserError =>
  new UserError(`${flag} ${JSON.stringify(value)}: ${wanted}`, { code: 'BadOption' })

// What one port of a Service adds to the picture of IPVS mode: virtual servers, members of sets, addresses of
// kube-ipvs0. Rules are kube-proxy's of 1.36, but for internal policy Local (see docs/decisions).
import { schedulerFlags, type VirtualServer } from '#kernel/ipvs/codec.ts'
import type { Ip } from '#lib/ip.ts'
import type { IpvsOptions } from '#proxy/ipvs/options.ts'
import type { SetKey } from '#proxy/ipvs/sets.ts'
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

export type ServerPart = { readonly server: VirtualServer; readonly endpoints: readonly Endpoint[] }
export type SetPart = { readonly set: SetKey; readonly entry: string }
/** A virtual IP that the node itself may not reach, since source ranges leave it out. */
export type Blocked = Pick<VirtualServer, 'address' | 'protocol' | 'port'>

export type PortParts = {
  readonly servers: readonly ServerPart[]
  readonly entries: readonly SetPart[]
  readonly addresses: readonly Ip[]
  readonly blocked: readonly Blocked[]
}

export function portParts(plan: PortPlan, options: IpvsOptions): PortParts {
  const { protocol, port, clusterIp } = plan
  const { nodePortIps, ownIps } = options
  const servers: ServerPart[] = []
  const entries: SetPart[] = []
  const addresses: Ip[] = []
  const blocked: Blocked[] = []
  const serve = (address: Ip, port: number, endpoints: readonly Endpoint[]) =>
    servers.push({ server: virtualServer(plan, address, port, options), endpoints })
  const own = (address: Ip) => {
    if (ownIps.includes(address)) return
    addresses.push(address)
    entries.push({ set: 'IPVS-IPS', entry: address })
  }
  const member = (set: SetKey, entry: string) => entries.push({ set, entry })

  for (const { ip, port, local } of plan.all) if (local) member('LOOP-BACK', `${ip},${protocol}:${port},${ip}`)
  member('CLUSTER-IP', `${clusterIp},${protocol}:${port}`)
  serve(clusterIp, port, internalEndpoints(plan))
  own(clusterIp)
  for (const front of plan.fronts) {
    if (front.kind === 'node-port') {
      for (const [set, entry] of nodePortEntries(plan, front.port, nodePortIps)) member(set, entry)
      for (const ip of nodePortIps) serve(ip, front.port, externalEndpoints(plan))
      continue
    }
    const entry = `${front.address},${protocol}:${port}`
    if (front.kind === 'external-ip')
      member(plan.external.policy === 'local' ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP', entry)
    else {
      for (const [set, text] of balancerEntries(plan, front.address)) member(set, text)
      if (plan.sources?.includeNode === false) blocked.push({ address: front.address, protocol, port })
    }
    serve(front.address, port, externalEndpoints(plan))
    own(front.address)
  }
  if (plan.healthCheckNodePort !== 0) member('HEALTH-CHECK-NODE-PORT', `${plan.healthCheckNodePort}`)
  return { servers, entries, addresses, blocked }
}

function virtualServer(
  { protocol, affinitySeconds }: PortPlan,
  address: Ip,
  port: number,
  { scheduler }: IpvsOptions,
): VirtualServer {
  // Without its port, all connections of one client would go to the same server.
  const flags = scheduler === 'mh' ? schedulerFlags.second : 0
  return { protocol, address, port, scheduler, flags, persistentSeconds: affinitySeconds }
}

const internalEndpoints = ({ internal, cluster, local }: PortPlan) => (internal.policy === 'local' ? local : cluster)

/**
 * A virtual server has the same real servers for everyone. With policy Local and none on this node they are those of the
 * whole cluster, for the pods of this node; packets from outside get there too, but not their answers back.
 */
const externalEndpoints = ({ external, cluster, local }: PortPlan) =>
  external.policy === 'local' && local.length > 0 ? local : cluster

function nodePortEntries({ protocol, external }: PortPlan, port: number, ips: readonly Ip[]): [SetKey, string][] {
  const names = {
    tcp: ['NODE-PORT-TCP', 'NODE-PORT-LOCAL-TCP'],
    udp: ['NODE-PORT-UDP', 'NODE-PORT-LOCAL-UDP'],
    sctp: ['NODE-PORT-SCTP-HASH', 'NODE-PORT-LOCAL-SCTP-HASH'],
  } as const
  const entries = protocol === 'sctp' ? ips.map((ip) => `${ip},sctp:${port}`) : [`${port}`]
  const [all, local] = names[protocol]
  return (external.policy === 'local' ? [all, local] : [all]).flatMap((set) =>
    entries.map((entry): [SetKey, string] => [set, entry]),
  )
}

function balancerEntries({ protocol, port, external, sources }: PortPlan, address: Ip): [SetKey, string][] {
  const entry = `${address},${protocol}:${port}`
  return [
    ['LOAD-BALANCER', entry],
    ...(external.policy === 'local' ? [['LOAD-BALANCER-LOCAL', entry] as [SetKey, string]] : []),
    ...(sources === undefined ? [] : [['LOAD-BALANCER-FW', entry] as [SetKey, string]]),
    ...(sources?.ranges ?? []).map((range): [SetKey, string] => [
      'LOAD-BALANCER-SOURCE-CIDR',
      `${entry},${withoutHostPrefix(range)}`,
    ]),
    ...(sources?.includeNode ? [['LOAD-BALANCER-SOURCE-IP', `${entry},${address}`] as [SetKey, string]] : []),
  ]
}

/** As the kernel prints it: a single address has no prefix. */
const withoutHostPrefix = (range: string) => range.replace(range.includes(':') ? /\/128$/ : /\/32$/, '')

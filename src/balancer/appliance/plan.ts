// What the appliance does with packets: for each address and port of a Service, to which nodes' NodePorts new
// connections go. A cloud's load balancer decides the same way.

import { type Node, type Service } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { nodeIp, whyNoBackend } from '#balancer/backends.ts'
import { addressesOf, type AddressPool } from '#balancer/pool/address-pool.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { byKey } from '#lib/sort.ts'

/** The proxy's own health, which policy Cluster goes by. */
const proxyHealthPort = 10256

/** One node, seen from one Service. */
export type Backend = {
  readonly service: string
  readonly node: string
  readonly ip: string
  /** asked for a 200 before the node gets connections; undefined: the node is out for another reason */
  readonly check: string | undefined
  /** why it is out before anything is asked */
  readonly excluded?: string
}

/** An address and port that the appliance listens for. */
export type Frontend = {
  readonly service: string
  readonly ip: string
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly port: number
  readonly nodePort: number
  /** ranges of clients that may come; undefined: all */
  readonly sources?: readonly string[]
}

export type AppliancePlan = { readonly frontends: readonly Frontend[]; readonly backends: readonly Backend[] }

/** `services` are those that the appliance serves; without an address they are still to get one. */
export function planAppliance(
  services: Iterable<Stored<Service>>,
  nodes: Iterable<Stored<Node>>,
  pool: AddressPool,
): AppliancePlan {
  const frontends: Frontend[] = []
  const backends: Backend[] = []
  const machines = [...nodes].sort(byKey(({ metadata }) => metadata.name))
  for (const service of [...services].sort(byKey(keyOf))) {
    if (service.spec.type !== 'LoadBalancer' || service.metadata.deletionTimestamp !== undefined) continue
    const key = keyOf(service)
    for (const ip of addressesOf(service, pool)) {
      const sources = sourcesOf(service, ip.includes(':'))
      const base = { service: key, ip, ...(sources.length > 0 && { sources }) }
      for (const { protocol = 'TCP', port, nodePort } of service.spec.ports ?? [])
        if (nodePort) frontends.push({ ...base, protocol: protocol as Frontend['protocol'], port, nodePort })
      for (const node of machines) {
        const backend = planBackend(service, node, ip)
        if (backend) backends.push(backend)
      }
    }
  }
  return { frontends, backends }
}

const sourceAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'

/** The nodes see the appliance's own address: who may come is decided here. None of the family: all may. */
function sourcesOf({ metadata, spec }: Stored<Service>, isSix: boolean): readonly string[] {
  const { loadBalancerSourceRanges: ranges = [] } = spec
  const texts = ranges.length > 0 ? ranges : (metadata.annotations?.[sourceAnnotation] ?? '').split(',')
  return texts.flatMap((text) => canonicalCidr(text.trim()) ?? []).filter((range) => range.includes(':') === isSix)
}

/** undefined: the node has no address of the family. */
function planBackend(service: Stored<Service>, node: Stored<Node>, frontIp: string): Backend | undefined {
  const ip = nodeIp(node, frontIp.includes(':') ? 'IPv6' : 'IPv4')
  if (ip === undefined) return undefined
  const { externalTrafficPolicy, healthCheckNodePort } = service.spec
  const excluded = whyNoBackend(node)
  const port = externalTrafficPolicy === 'Local' && healthCheckNodePort ? healthCheckNodePort : proxyHealthPort
  const host = ip.includes(':') ? `[${ip}]` : ip
  const base = { service: keyOf(service), node: node.metadata.name, ip }
  return excluded === undefined
    ? { ...base, check: `http://${host}:${port}/healthz` }
    : { ...base, check: undefined, excluded }
}

/** What came of the last looks at a URL. */
export type Health = {
  readonly isUp: boolean
  /** how often in a row the answer was not what `isUp` says */
  readonly against: number
  /** for people: `200`, `503: no local endpoint`, `no answer in 1 s` */
  readonly said: string
}

/** One look is enough to let a node in, two failures in a row take it out. */
const failuresToLeave = 2

export function judge(old: Health | undefined, isOk: boolean, said: string): Health {
  if (isOk) return { isUp: true, against: 0, said }
  const against = (old?.against ?? 0) + 1
  return { isUp: (old?.isUp ?? false) && against < failuresToLeave, against, said }
}

/** Why a node gets connections of a Service, or why not. */
export type Standing = { readonly service: string; readonly node: string; readonly isIn: boolean; readonly why: string }

export function standingOf({ service, node, check, excluded }: Backend, health: ReadonlyMap<string, Health>): Standing {
  if (check === undefined) return { service, node, isIn: false, why: excluded! }
  const known = health.get(check)
  if (known === undefined) return { service, node, isIn: false, why: `not asked yet: ${check}` }
  return { service, node, isIn: known.isUp, why: `${known.said} from ${check}` }
}

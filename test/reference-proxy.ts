// Who may answer a connection to a Service: a small model written from Kubernetes' documentation (virtual IPs, traffic
// policies, topology, load-balancer source ranges). It shares nothing with the proxy that it is compared with.
import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'

export type Asked = {
  readonly service: Service
  /** all slices of the Service, of any family */
  readonly slices: readonly EndpointSlice[]
  /** the node whose rules decide */
  readonly node: string
  readonly zone: string
  readonly from: { readonly kind: 'pod' | 'node' | 'outside'; readonly ip: string }
  readonly to: 'cluster IP' | 'external IP' | 'load balancer' | 'node port'
}

/** Addresses that may answer; `refused`: the client is told that there is none; `silent`: it is not; `none`: either. */
export type Answers = ReadonlySet<string> | 'refused' | 'silent' | 'none'

export function whoAnswers({ service, slices, node, zone, from, to }: Asked): Answers {
  const spec = service.spec!
  const family = from.ip.includes(':') ? 'IPv6' : 'IPv4'
  const all = slices.filter((slice) => slice.addressType === family).flatMap((slice) => slice.endpoints ?? [])
  const is = {
    ready: (one: (typeof all)[number]) => one.conditions?.ready !== false,
    last: (one: (typeof all)[number]) => one.conditions?.serving !== false && one.conditions?.terminating === true,
    here: (one: (typeof all)[number]) => one.nodeName === node,
  }
  if (to === 'load balancer' && !isLetIn(spec.loadBalancerSourceRanges ?? [], from.ip)) {
    return all.some((one) => is.ready(one) || is.last(one)) ? 'silent' : 'none'
  }
  const fromInside = from.kind !== 'outside'
  const policy =
    to === 'cluster IP'
      ? spec.internalTrafficPolicy
      : fromInside
        ? 'Cluster'
        : (spec.externalTrafficPolicy ?? 'Cluster')
  const usable = all.filter((one) => is.ready(one) || is.last(one))
  if (usable.length === 0) return 'refused'
  const pool = policy === 'Local' ? all.filter(is.here) : all
  const ready = pool.filter(is.ready)
  const chosen = ready.length === 0 ? pool.filter(is.last) : policy === 'Local' ? ready : near(ready, node, zone)
  if (chosen.length === 0) return 'silent'
  return new Set(chosen.map(({ addresses }) => addresses[0]!))

  function near(of: typeof all, name: string, where: string) {
    const onNode = of.filter(({ hints }) => hints?.forNodes?.some((hint) => hint.name === name))
    if (onNode.length > 0 && of.every(({ hints }) => (hints?.forNodes ?? []).length > 0)) return onNode
    const inZone = of.filter(({ hints }) => hints?.forZones?.some((hint) => hint.name === where))
    if (inZone.length > 0 && of.every(({ hints }) => (hints?.forZones ?? []).length > 0)) return inZone
    return of
  }
}

/** Ranges of the other family do not count; where none is left, everyone is let in. */
function isLetIn(ranges: readonly string[], ip: string): boolean {
  const own = ranges.filter((range) => range.includes(':') === ip.includes(':'))
  return own.length === 0 || own.some((range) => isWithin(ip, range))
}

function isWithin(ip: string, range: string): boolean {
  const [network = '', length = '0'] = range.split('/')
  return bitsOf(ip).startsWith(bitsOf(network).slice(0, Number(length)))
}

function bitsOf(ip: string): string {
  if (!ip.includes(':'))
    return ip
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('')
  const [left = [], right] = ip.split('::').map((half) => half.split(':').filter(Boolean))
  const zeros = right === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...(right ?? [])]
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}

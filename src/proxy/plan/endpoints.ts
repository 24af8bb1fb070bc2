// The endpoints of each port of a Service, out of all its slices.
import { byKey } from '#lib/sort.ts'
import { type Family, type Protocol, type SliceView, socketAddress } from '#proxy/state.ts'

export type Endpoint = {
  /** `ip:port`, with brackets around an IPv6 address: its name everywhere */
  readonly address: string
  readonly ip: string
  readonly port: number
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** on this node */
  readonly local: boolean
  /** known to be on another node */
  readonly remote: boolean
  readonly zones: readonly string[]
  readonly nodes: readonly string[]
}

/** How ports of a Service and of its slices find each other: by name and protocol. */
export const portKey = (name: string, protocol: Protocol): string => `${name}/${protocol}`

/**
 * The endpoints by `portKey`, sorted by address. An address that stands in several slices, or twice in one (its pod is
 * gone and a new one got its IP), counts once; the one that is not terminating wins.
 */
export function mergeSlices(
  slices: Iterable<SliceView>,
  family: Family,
  node: string,
): Map<string, readonly Endpoint[]> {
  const ports = new Map<string, Endpoint[]>()
  for (const slice of slices) {
    if (slice.family !== family) continue
    for (const { name, protocol, port } of slice.ports) {
      const key = portKey(name, protocol)
      const found = ports.get(key) ?? []
      ports.set(key, found)
      for (const endpoint of slice.endpoints) {
        const { ip, ready, serving, terminating, zones, nodes } = endpoint
        const address = socketAddress(ip, port)
        const local = endpoint.node === node
        const remote = endpoint.node !== undefined && !local
        found.push({ address, ip, port, ready, serving, terminating, local, remote, zones, nodes })
      }
    }
  }
  for (const [key, found] of ports) ports.set(key, eachOnce(found.sort(byAddress)))
  return ports
}

const byAddress = byKey(({ address }: Endpoint) => address)

/** `sorted` keeps the order of slices where addresses are the same. The copy takes no more memory than it needs. */
function eachOnce(sorted: readonly Endpoint[]): Endpoint[] {
  if (sorted.every(({ address }, i) => address !== sorted[i + 1]?.address)) return sorted.slice()
  const once: Endpoint[] = []
  for (const endpoint of sorted) {
    const last = once.at(-1)
    if (last?.address !== endpoint.address) once.push(endpoint)
    else if (!endpoint.terminating) once[once.length - 1] = endpoint
  }
  return once
}

// Which node answers for an address of the pool: of those that are there and may, the one whose hash with the address is
// the least. Every node decides this alone; where they see the same neighbours they decide the same. An address moves
// only when its own node goes or comes.

import type { Node, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import { isBackend } from '#balancer/backends.ts'
import { addressesOf, type AddressPool } from '#balancer/pool/address-pool.ts'
import { compareBytes } from '#lib/ip.ts'
import { sha256 } from '#lib/hash.ts'

/** An address, and the names of the nodes that may answer for it. */
export type Candidacy = { readonly ip: string; readonly nodes: readonly string[] }

/** `slices` need to be those of Services with policy Local only. */
export function planCandidates(
  services: Iterable<Stored<Service>>,
  slices: Iterable<Stored<EndpointSlice>>,
  nodes: Iterable<Stored<Node>>,
  pool: AddressPool,
): readonly Candidacy[] {
  const backends = [...nodes].filter(isBackend).map(({ metadata }) => metadata.name)
  const local = localNodes(slices)
  return [...services].flatMap((service) => {
    if (service.spec.type !== 'LoadBalancer' || service.metadata.deletionTimestamp !== undefined) return []
    const own = local.get(keyOf(service))
    const isLocal = service.spec.externalTrafficPolicy === 'Local'
    const may = isLocal ? backends.filter((name) => own?.has(name)) : backends
    return addressesOf(service, pool).map((ip) => ({ ip, nodes: may }))
  })
}

/** The nodes with a ready endpoint, by Service; where none is ready anywhere, those that still serve count (KEP-1669). */
function localNodes(slices: Iterable<Stored<EndpointSlice>>): ReadonlyMap<string, ReadonlySet<string>> {
  const ready = new Map<string, Set<string>>()
  const serving = new Map<string, Set<string>>()
  for (const { metadata, endpoints } of slices) {
    const name = metadata.labels?.['kubernetes.io/service-name']
    if (name === undefined) continue
    const key = `${metadata.namespace}/${name}`
    for (const { nodeName, conditions } of endpoints ?? []) {
      if (nodeName === undefined) continue
      if (conditions?.ready !== false) add(ready, key, nodeName)
      else if (conditions.serving) add(serving, key, nodeName)
    }
  }
  return new Map([...serving, ...ready])
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key)
  if (set) set.add(value)
  else sets.set(key, new Set([value]))
}

/** The nodes that may, the one that answers first: of those that are there, the first one. */
export function rankNodes({ ip, nodes }: Candidacy): readonly string[] {
  const hashes = new Map(nodes.map((node) => [node, sha256(`${node}#${ip}`)]))
  return nodes.toSorted((a, b) => compareBytes(hashes.get(a)!, hashes.get(b)!))
}

// Hints: where an endpoint's traffic should come from, as spec.trafficDistribution asks.

import type { Service } from '#api/core.ts'
import type { Endpoint, EndpointHints } from '#api/discovery.ts'
import type { Draft } from '#controllers/endpointslice/slice.ts'
import { equalJson } from '#lib/equal.ts'

/** `service.kubernetes.io/topology-mode: Auto`, and the older name of the annotation, which goes first. */
export function isTopologyAuto({ metadata }: Service): boolean {
  const mode =
    metadata?.annotations?.['service.kubernetes.io/topology-aware-hints'] ??
    metadata?.annotations?.['service.kubernetes.io/topology-mode']
  return mode === 'Auto' || mode === 'auto'
}

export type Preference = 'zone' | 'node' | undefined

/** What a Service prefers. Topology mode excludes it; without a zone plan of its own, that mode means no hints. */
export function preferenceOf(service: Service): Preference {
  if (isTopologyAuto(service)) return undefined
  switch (service.spec?.trafficDistribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return 'zone'
    case 'PreferSameNode':
      return 'node'
    default:
      return undefined
  }
}

/** The slice with the right hints; the same object where it has them already. */
export function withHints<T extends Draft>(slice: T, preference: Preference): T {
  let changed = false
  const endpoints = slice.endpoints.map((endpoint) => {
    const hints = hintsOf(endpoint, preference)
    if (equalJson(endpoint.hints, hints)) return endpoint
    changed = true
    const { hints: _, ...rest } = endpoint
    return hints === undefined ? rest : { ...rest, hints }
  })
  return changed ? { ...slice, endpoints } : slice
}

/** Ready endpoints are for their own zone, and for their own node where that is preferred. Others keep what they have. */
function hintsOf(endpoint: Endpoint, preference: Preference): EndpointHints | undefined {
  if (preference === undefined) return undefined
  if (endpoint.conditions?.ready !== true) return endpoint.hints
  const { zone, nodeName } = endpoint
  const forZones = zone === undefined ? {} : { forZones: [{ name: zone }] }
  const forNodes = preference === 'node' && nodeName !== undefined ? { forNodes: [{ name: nodeName }] } : {}
  return 'forZones' in forZones || 'forNodes' in forNodes ? { ...forZones, ...forNodes } : undefined
}

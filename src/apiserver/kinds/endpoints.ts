// Endpoints, the older form of what EndpointSlices say.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type Endpoints, endpoints } from '#api/core.ts'
import { validateEndpoints } from '#api/endpoints/validate.ts'

export const endpointsKind: Kind<Endpoints> = {
  resource: endpoints,
  type: 'core.Endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  columns: [nameColumn, text('Endpoints'), ageColumn],
  row: (object, nowMs) => [nameOf(object), endpointsText(object), age(object, nowMs)],
  default: (object) =>
    object.subsets === undefined ? object : { ...object, subsets: object.subsets.map(withProtocols) },
  validate: validateEndpoints,
  createOnUpdate: true,
  deprecated: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
}

type Subset = NonNullable<Endpoints['subsets']>[number]

function withProtocols(subset: Subset): Subset {
  if (subset.ports === undefined) return subset
  return { ...subset, ports: subset.ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' })) }
}

/** `10.244.1.5:9376,10.244.2.7:9376`, three at most, then how many more there are. */
function endpointsText(object: Endpoints): string {
  const subsets = object.subsets ?? []
  if (subsets.length === 0) return '<none>'
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  )
  const shown = all.slice(0, 3).join(',')
  return all.length > 3 ? `${shown} + ${all.length - 3} more...` : shown
}

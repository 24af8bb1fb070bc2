// EndpointSlices.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { warnAboutIp } from '#api/address.ts'
import { type EndpointPort, type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { validateEndpointSlice } from '#api/endpoints/validate.ts'

export const endpointSliceKind: Kind<EndpointSlice> = {
  resource: endpointSlices,
  type: 'discovery.EndpointSlice',
  singular: 'endpointslice',
  columns: [nameColumn, text('AddressType'), text('Ports'), text('Endpoints'), ageColumn],
  row: (slice, nowMs) => [
    nameOf(slice),
    slice.addressType ?? '',
    firstThree((slice.ports ?? []).map(portText)),
    firstThree((slice.endpoints ?? []).flatMap(({ addresses }) => addresses ?? [])),
    age(slice, nowMs),
  ],
  default: (slice) => ({
    ...slice,
    endpoints: slice.endpoints ?? [],
    ports: (slice.ports ?? []).map((port) => ({ ...port, name: port.name ?? '', protocol: port.protocol ?? 'TCP' })),
  }),
  validate: validateEndpointSlice,
  warnings: (slice, old) => [
    ...(old === undefined && slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
    ...(slice.endpoints ?? []).flatMap(({ addresses = [] }, at) =>
      addresses.flatMap((ip, place) => warnAboutIp(`endpoints[${at}].addresses[${place}]`, ip)),
    ),
  ],
  generation: 'content',
}

function portText({ port, name }: EndpointPort): string {
  return port === undefined ? (name ?? '*') : `${port}`
}

function firstThree(list: readonly string[]): string {
  const shown = list.slice(0, 3).join(',') || '<unset>'
  return list.length > 3 ? `${shown} + ${list.length - 3} more...` : shown
}

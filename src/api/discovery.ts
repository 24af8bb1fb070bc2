// The discovery group: EndpointSlices.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface EndpointSlice extends Typed<'discovery', 'EndpointSlice'> {}
export interface Endpoint extends Typed<'discovery', 'Endpoint'> {}
export interface EndpointConditions extends Typed<'discovery', 'EndpointConditions'> {}
export interface EndpointHints extends Typed<'discovery', 'EndpointHints'> {}
export interface EndpointPort extends Typed<'discovery', 'EndpointPort'> {}

export const endpointSlices: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
}

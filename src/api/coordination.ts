// The coordination group: Leases.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface Lease extends Typed<'coordination', 'Lease'> {}
export interface LeaseSpec extends Typed<'coordination', 'LeaseSpec'> {}

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}

// The events group: the newer form of Events.

import type { Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface NewEvent extends Typed<'events', 'Event'> {}

export const newEvents: Resource<NewEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}

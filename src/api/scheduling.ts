// The scheduling group: PriorityClasses.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface PriorityClass extends Typed<'scheduling', 'PriorityClass'> {}

export const priorityClasses: Resource<PriorityClass> = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  plural: 'priorityclasses',
  kind: 'PriorityClass',
  namespaced: false,
}

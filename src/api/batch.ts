// The batch group: Jobs.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface Job extends Typed<'batch', 'Job'> {}
export interface JobSpec extends Typed<'batch', 'JobSpec'> {}
export interface JobStatus extends Typed<'batch', 'JobStatus'> {}

export const jobs: Resource<Job> = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true }

// How a claim that asks for more gets it, in steps that each leave a mark in its status: first the volume grows, then the
// file system on it (Kubernetes' conditions, pkg/volume/util/resize_util.go, and the events of its external resizer). A
// crash between two of them, and the next one goes on.

import type { PersistentVolumeClaim } from '#api/core.ts'
import { bytesOf } from '#storage/request.ts'
import type { Claim, Volume } from '#storage/plan.ts'

export type ExpansionStep =
  | 'nothing'
  /** say that it begins */
  | 'announce'
  /** make the volume larger, and say so in its object */
  | 'grow volume'
  /** say that only the file system is left */
  | 'announce file system'
  | 'grow file system'
  /** it has all that it asks for, since it asks for less again: nothing of this is left in its status */
  | 'settle'

type Condition = NonNullable<NonNullable<PersistentVolumeClaim['status']>['conditions']>[number]
type ConditionType = 'Resizing' | 'FileSystemResizePending' | 'ControllerResizeError' | 'NodeResizeError'

const own: readonly string[] = [
  'Resizing',
  'FileSystemResizePending',
  'ControllerResizeError',
  'NodeResizeError',
] satisfies readonly ConditionType[]

export function planExpansion(claim: Claim, volume: Volume): ExpansionStep {
  const { status } = claim
  if (status?.phase !== 'Bound') return 'nothing'
  const wanted = bytesOf(claim.spec.resources?.requests?.['storage'])
  const has = bytesOf(status.capacity?.['storage'])
  const conditions = status.conditions ?? []
  const isSaid = (type: ConditionType) => conditions.some((one) => one.type === type && one.status === 'True')
  if (wanted <= has) return conditions.some(({ type }) => own.includes(type)) ? 'settle' : 'nothing'
  if (bytesOf(volume.spec.capacity?.['storage']) < wanted) return isSaid('Resizing') ? 'grow volume' : 'announce'
  return isSaid('FileSystemResizePending') ? 'grow file system' : 'announce file system'
}

/** What a claim's status says then. `now`: as Kubernetes writes times. */
export function statusOf(claim: Claim, volume: Volume, step: ExpansionStep, now: string): object {
  const storage = claim.spec.resources?.requests?.['storage'] ?? '0'
  switch (step) {
    case 'announce':
      return {
        conditions: withConditions(claim, [condition('Resizing', now)]),
        allocatedResources: { storage },
        allocatedResourceStatuses: { storage: 'ControllerResizeInProgress' },
      }
    case 'announce file system':
      return {
        conditions: withConditions(claim, [
          condition(
            'FileSystemResizePending',
            now,
            'Waiting for the file system on the volume to be resized on its node.',
          ),
        ]),
        allocatedResourceStatuses: { storage: 'NodeResizePending' },
      }
    case 'grow file system':
      return {
        conditions: withConditions(claim, []),
        // All that the volume has: it may have been asked for less meanwhile.
        capacity: { storage: volume.spec.capacity?.['storage'] ?? storage },
        allocatedResourceStatuses: null,
      }
    case 'settle':
      return { conditions: withConditions(claim, []), allocatedResources: null, allocatedResourceStatuses: null }
    default:
      return {}
  }
}

/** What it says while a step fails: what it said, and why. Undefined where it says so already. */
export function failureOf(
  claim: Claim,
  type: 'ControllerResizeError' | 'NodeResizeError',
  message: string,
  now: string,
): object | undefined {
  const conditions = claim.status?.conditions ?? []
  if (conditions.some((one) => one.type === type && one.message === message)) return undefined
  return { conditions: [...conditions.filter((one) => one.type !== type), condition(type, now, message)] }
}

const condition = (type: ConditionType, now: string, message?: string): Condition => ({
  type,
  status: 'True',
  lastTransitionTime: now,
  ...(message !== undefined && { message }),
})

const withConditions = (claim: Claim, conditions: readonly Condition[]): readonly Condition[] | null => {
  const others = (claim.status?.conditions ?? []).filter(({ type }) => !own.includes(type))
  const all = [...others, ...conditions]
  return all.length > 0 ? all : null
}

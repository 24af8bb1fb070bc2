// What a namespace on its way out says about the removal of its content.

import type { Namespace } from '#api/core.ts'
import type { Resource } from '#api/resource.ts'
import { formatTime } from '#api/time.ts'

type Condition = NonNullable<NonNullable<Namespace['status']>['conditions']>[number]

/** What is left of one kind of object. */
export type Remaining = {
  readonly resource: Resource
  readonly count: number
  /** finalizer -> how many objects have it */
  readonly finalizers: ReadonlyMap<string, number>
}

/** How one round of removal went. */
export type Removal = {
  readonly remaining: readonly Remaining[]
  /** why kinds could not be found out about */
  readonly discoveryError?: string
  /** one text per kind that could not be removed */
  readonly errors: readonly string[]
}

/** Type, reason and message of each condition where there is nothing to complain about. */
const fine: readonly (readonly [string, string, string])[] = [
  ['NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'],
  ['NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'],
  [
    'NamespaceDeletionContentFailure',
    'ContentDeleted',
    'All content successfully deleted, may be waiting on finalization',
  ],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  ['NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
]

/** The conditions after a round; the same list where nothing new is to be said. */
export function removalConditions(before: readonly Condition[], removal: Removal, nowMs: number): readonly Condition[] {
  const complaints = complaintsOf(removal)
  const after = fine.map(([type, reason, message]): Condition => {
    const complaint = complaints.get(type)
    const said = complaint === undefined ? { status: 'False', reason, message } : { status: 'True', ...complaint }
    const had = before.find((condition) => condition.type === type)
    if (had?.status === said.status && had.reason === said.reason && had.message === said.message) return had
    const lastTransitionTime =
      had?.status === said.status && had.lastTransitionTime !== undefined ? had.lastTransitionTime : formatTime(nowMs)
    return { type, ...said, lastTransitionTime }
  })
  const others = before.filter(({ type }) => !fine.some(([ours]) => ours === type))
  return after.every((condition) => before.includes(condition)) ? before : [...others, ...after]
}

function complaintsOf({ remaining, discoveryError, errors }: Removal) {
  const complaints = new Map<string, { readonly reason: string; readonly message: string }>()
  if (discoveryError !== undefined) complaints.set(fine[0]![0], { reason: 'DiscoveryFailed', message: discoveryError })
  if (errors.length > 0) {
    const message = `Failed to delete all resource types, ${errors.length} remaining: ${errors.toSorted().join(', ')}`
    complaints.set(fine[2]![0], { reason: 'ContentDeletionFailed', message })
  }
  const left = remaining.filter(({ count }) => count > 0)
  if (left.length > 0) {
    const texts = left.map(
      ({ resource, count }) => `${resource.plural}.${resource.group} has ${count} resource instances`,
    )
    const message = `Some resources are remaining: ${texts.sort().join(', ')}`
    complaints.set(fine[3]![0], { reason: 'SomeResourcesRemain', message })
  }
  const finalizers = new Map<string, number>()
  for (const one of left)
    for (const [name, count] of one.finalizers) finalizers.set(name, (finalizers.get(name) ?? 0) + count)
  if (finalizers.size > 0) {
    const texts = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`)
    const message = `Some content in the namespace has finalizers remaining: ${texts.sort().join(', ')}`
    complaints.set(fine[4]![0], { reason: 'SomeFinalizersRemain', message })
  }
  return complaints
}

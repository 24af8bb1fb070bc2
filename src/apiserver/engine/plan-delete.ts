// What a DELETE makes of an object: it goes at once, it is marked and goes later, or nothing happens since it is marked
// already (apiserver's registry/rest/delete.go and registry/generic/registry/store.go).

import type { ApiObject, DeleteOptions, ObjectMeta } from '#api/meta.ts'
import { formatTime } from '#api/time.ts'
import { equalJson } from '#lib/equal.ts'
import type { Kind } from '#apiserver/kind.ts'

export type DeletePlan =
  /** take it out; `object` is its last state */
  | { readonly kind: 'remove'; readonly object: ApiObject }
  /** store this; someone else will finish: the node's agent, or who takes out the last finalizer */
  | { readonly kind: 'mark'; readonly object: ApiObject }
  | { readonly kind: 'nothing' }

export function planDelete(kind: Kind, object: ApiObject, options: DeleteOptions, nowMs: number): DeletePlan {
  const finalizers = finalizersFor(object, kind, options)
  const graced = withGrace(kind, object, options, nowMs)
  if (graced === 'pending') return { kind: 'nothing' }
  const metadata = graced?.metadata ?? object.metadata ?? {}
  const stays = finalizers.length > 0 || kind.isHeld?.(object) === true
  const grace = metadata.deletionGracePeriodSeconds ?? 0
  if (!stays && (graced === undefined || grace === 0)) return { kind: 'remove', object: graced ?? object }
  const marked = markedWith(graced ?? object, finalizers, nowMs)
  if (equalJson(marked, object)) return { kind: 'nothing' }
  const isFirst = object.metadata?.deletionTimestamp === undefined
  return { kind: 'mark', object: isFirst ? (kind.prepareDelete?.(marked) ?? marked) : marked }
}

/**
 * The object with its end set, undefined where the kind has no grace or the grace is over, or 'pending' where it already
 * ends as soon as asked.
 */
function withGrace(
  kind: Kind,
  object: ApiObject,
  options: DeleteOptions,
  nowMs: number,
): ApiObject | 'pending' | undefined {
  if (kind.graceful === undefined) return undefined
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata ?? {}
  const asked = options.gracePeriodSeconds === undefined ? undefined : atLeastOne(options.gracePeriodSeconds)
  if (deletionTimestamp !== undefined) {
    if (deletionGracePeriodSeconds === 0) return undefined
    if (asked === undefined || asked >= deletionGracePeriodSeconds) return 'pending'
    return withEnd(object, ...shortened(deletionTimestamp, deletionGracePeriodSeconds, asked, nowMs))
  }
  const grace = kind.graceful(object, asked === undefined ? options : { ...options, gracePeriodSeconds: asked })
  return withEnd(withNextGeneration(object), nowMs + grace * 1000, grace)
}

/** A negative grace means one second. */
const atLeastOne = (seconds: number) => (seconds < 0 ? 1 : seconds)

/** The new end and grace; an end in the past is now. */
function shortened(end: string, grace: number, asked: number, nowMs: number): [endMs: number, grace: number] {
  const endMs = Date.parse(end) + (asked - grace) * 1000
  return endMs >= nowMs ? [endMs, asked] : [nowMs, asked === 0 ? 0 : 1]
}

const withEnd = (object: ApiObject, endMs: number, grace: number): ApiObject => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: formatTime(endMs), deletionGracePeriodSeconds: grace },
})

function withNextGeneration(object: ApiObject): ApiObject {
  const generation = object.metadata?.generation ?? 0
  return generation === 0 ? object : { ...object, metadata: { ...object.metadata, generation: generation + 1 } }
}

function markedWith(object: ApiObject, finalizers: readonly string[], nowMs: number): ApiObject {
  const { finalizers: _, ...rest } = object.metadata ?? {}
  const metadata: ObjectMeta = finalizers.length === 0 ? rest : { ...rest, finalizers }
  const marked: ApiObject = { ...object, metadata }
  return metadata.deletionTimestamp === undefined ? withEnd(withNextGeneration(marked), nowMs, 0) : marked
}

/** The finalizers that the asked propagation leaves on the object. */
export function finalizersFor(object: ApiObject, kind: Kind, options: DeleteOptions): readonly string[] {
  const old = object.metadata?.finalizers ?? []
  const others = old.filter((name) => name !== 'orphan' && name !== 'foregroundDeletion')
  switch (propagationOf(object, kind, options)) {
    case 'Orphan':
      return [...others, 'orphan']
    case 'Foreground':
      return [...others, 'foregroundDeletion']
    case 'Background':
      return others
    case 'as it is':
      return old
  }
}

function propagationOf(
  object: ApiObject,
  kind: Kind,
  { propagationPolicy, orphanDependents }: DeleteOptions,
): 'Orphan' | 'Foreground' | 'Background' | 'as it is' {
  if (orphanDependents !== undefined) return orphanDependents ? 'Orphan' : 'Background'
  if (propagationPolicy !== undefined) return propagationPolicy as 'Orphan' | 'Foreground' | 'Background'
  const old = object.metadata?.finalizers ?? []
  if (old.includes('orphan') || old.includes('foregroundDeletion')) return 'as it is'
  return kind.orphanByDefault ? 'Orphan' : 'as it is'
}

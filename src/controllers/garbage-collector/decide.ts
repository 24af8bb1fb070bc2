// What garbage collection does about one object.
//
// An object stays while one of its owners lives. When all are gone it goes; when some are, only the references to those
// go. An owner that is deleted in the foreground keeps its finalizer until no dependent blocks it any more; one that
// leaves orphans has its references taken out of its dependents first.

import { type ApiObject, type OwnerReference } from '#api/meta.ts'
import { type Act, patchOf } from '#client/control/act.ts'
import {
  type Graph,
  type Item,
  foregroundFinalizer,
  hasFinalizer,
  isGoing,
  isOwnedAs,
  orphanFinalizer,
  ownersOf,
  waitsForDependents,
} from '#controllers/garbage-collector/graph.ts'

export type Decision = {
  readonly acts: readonly Act[]
  /** references to owners that the graph does not know as such: ask the server, then decide again */
  readonly unknown: readonly OwnerReference[]
  /** other objects to decide about */
  readonly examine: readonly string[]
}

const nothing: Decision = { acts: [], unknown: [], examine: [] }

/** What the server said when it was asked for an owner by its reference; undefined: it was not asked. */
export type Asked = (owner: OwnerReference) => 'exists' | 'absent' | undefined

export function decide(graph: Graph, uid: string, asked: Asked): Decision {
  const item = graph.item(uid)
  if (item === undefined) return nothing
  if (isGoing(item)) return decideGoing(graph, item)
  const owners = ownersOf(item)
  if (owners.length === 0) return nothing

  const states = owners.map((owner) => ({ owner, state: stateOf(graph, item, owner, asked) }))
  const of = (state: OwnerState) => states.filter((one) => one.state === state).map(({ owner }) => owner)
  const unknown = of('unknown')
  if (unknown.length > 0) return { ...nothing, unknown }
  const waiting = of('waiting')
  if (of('solid').length > 0) {
    const rest = of('solid')
    if (rest.length === owners.length) return nothing
    return { ...nothing, acts: [patchOf(item.resource, item.object, { metadata: { ownerReferences: rest } })] }
  }
  const dependents = graph.dependentsOf(uid)
  if (waiting.length === 0 || dependents.length === 0) return { ...nothing, acts: [remove(item)] }
  return { ...nothing, acts: [...unblock(item, dependents), remove(item, 'Foreground')] }
}

type OwnerState =
  | 'solid'
  | 'dangling'
  /** on its way out, and waiting for this object to go first */
  | 'waiting'
  | 'unknown'

function stateOf(graph: Graph, item: Item, owner: OwnerReference, asked: Asked): OwnerState {
  if (graph.isGone(owner.uid)) return 'dangling'
  const known = graph.item(owner.uid)
  if (known !== undefined && isOwnedAs(owner, item, known)) return waitsForDependents(known) ? 'waiting' : 'solid'
  switch (asked(owner)) {
    case 'exists':
      return 'solid'
    case 'absent':
      return 'dangling'
    default:
      return 'unknown'
  }
}

function decideGoing(graph: Graph, item: Item): Decision {
  const { uid } = item.object.metadata
  const dependents = graph.dependentsOf(uid)
  if (hasFinalizer(item, orphanFinalizer)) {
    const orphans = dependents.map((dependent) => {
      const rest = ownersOf(dependent).filter((owner) => owner.uid !== uid)
      return patchOf(dependent.resource, dependent.object, { metadata: { ownerReferences: rest } })
    })
    return { ...nothing, acts: [...orphans, withoutFinalizer(item, orphanFinalizer)] }
  }
  if (!hasFinalizer(item, foregroundFinalizer)) return nothing
  const blocking = dependents.filter((dependent) =>
    ownersOf(dependent).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
  )
  if (blocking.length === 0) return { ...nothing, acts: [withoutFinalizer(item, foregroundFinalizer)] }
  const toDelete = blocking.filter((dependent) => !waitsForDependents(dependent) && !isGoing(dependent))
  return { ...nothing, examine: toDelete.map(({ object }) => object.metadata.uid) }
}

function withoutFinalizer({ resource, object }: Item, finalizer: string): Act {
  const finalizers = object.metadata.finalizers?.filter((one) => one !== finalizer) ?? []
  return patchOf(resource, object, { metadata: { finalizers } })
}

/** Owners that own each other would wait for each other for ever: the references of this one stop blocking. */
function unblock(item: Item, dependents: readonly Item[]): readonly Act[] {
  if (!dependents.some(waitsForDependents)) return []
  const references = ownersOf(item).map((owner) => ({ ...owner, blockOwnerDeletion: false }))
  return [patchOf(item.resource, item.object, { metadata: { ownerReferences: references } })]
}

function remove(item: Item, propagation?: 'Foreground'): Act {
  const { name, uid, namespace, resourceVersion } = item.object.metadata
  const policy = hasFinalizer(item, orphanFinalizer)
    ? 'Orphan'
    : hasFinalizer(item, foregroundFinalizer)
      ? 'Foreground'
      : 'Background'
  return {
    kind: 'delete',
    resource: item.resource,
    target: { name, uid, namespace, resourceVersion },
    propagation: propagation ?? policy,
  }
}

/** What the graph needs to know of an object. */
export function slimForGraph(object: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, ownerReferences, finalizers } =
    object.metadata ?? {}
  const metadata = {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    deletionTimestamp,
    ownerReferences,
    finalizers,
  }
  return { metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) }
}

// DELETE of one object, and of all that a selection picks.

import type { ApiObject, DeleteOptions, Status } from '#api/meta.ts'
import { conflict, forbidden, notFound, StatusError, success } from '#api/status.ts'
import { valueOf } from '#apiserver/cache/entry.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { planDelete } from '#apiserver/engine/plan-delete.ts'
import { removeNow } from '#apiserver/engine/remove.ts'
import { keyIn, type Served } from '#apiserver/engine/served.ts'
import { entryAtRevision, refuseGuarded, withRevision, type Outcome, type Writing } from '#apiserver/engine/write.ts'

const mostAttempts = 20

export type Deleted = Outcome & {
  /** it is gone; else it is marked and someone will finish */
  readonly isGone: boolean
}

/** Throws StatusError. */
export async function deleteObject(engine: Engine, writing: Writing, options: DeleteOptions): Promise<Deleted> {
  const { served, namespace, name } = writing
  const key = keyIn(served, namespace, name)
  for (let attempt = 1; ; attempt++) {
    await served.cache.fresh()
    const entry = served.cache.get(key)
    if (entry === undefined) throw new StatusError(notFound(served, name))
    const { object } = entry
    refusePreconditions(served, object, options)
    await refuseGuarded(engine, { ...writing, operation: 'delete', subresource: '', object: undefined, old: object })
    const why = served.kind.refuseDelete?.(object)
    if (why !== undefined) throw new StatusError(forbidden(served, name, why))
    const plan = planDelete(served.kind, object, options, engine.world.nowMs())
    switch (plan.kind) {
      case 'nothing':
        return { object, entry, isGone: false }
      case 'remove': {
        const removed = await removeNow(engine, writing, key, entry, plan.object)
        if (removed !== undefined) return { ...removed, isGone: true }
        break
      }
      case 'mark': {
        if (writing.dryRun) return { object: plan.object, isGone: false }
        const written = await served.store.update(served.prefix + key, valueOf(plan.object), entry.revision)
        if (written.done) {
          const made = entryAtRevision(served, key, written.revision)
          const marked = made?.object ?? withRevision(plan.object, written.revision)
          return { object: marked, entry: made, isGone: false }
        }
        break
      }
    }
    if (attempt >= mostAttempts) throw new StatusError(conflict(served, name))
  }
}

function refusePreconditions(served: Served, object: ApiObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion, name = '' } = object.metadata ?? {}
  const named = { group: served.group, plural: served.kind.resource.kind }
  if (preconditions?.uid !== undefined && preconditions.uid !== uid)
    throw new StatusError(
      conflict(
        named,
        name,
        `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      ),
    )
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion)
    throw new StatusError(
      conflict(
        named,
        name,
        `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      ),
    )
}

/** The answer to a DELETE: the object, or for most kinds that it is gone. */
export function answerDeleted(served: Served, { object, isGone }: Deleted): ApiObject | Status {
  if (!isGone || served.kind.answersDeleted) return object
  const { name = '', uid = '' } = object.metadata ?? {}
  return success({ name, group: served.group, kind: served.plural, uid })
}

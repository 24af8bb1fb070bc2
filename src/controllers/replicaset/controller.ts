// effect: requests to the API server
// ReplicaSets: keeps as many pods as each one wants.

import { type ReplicaSet, replicaSets } from '#api/apps.ts'
import { type Pod, pods } from '#api/core.ts'
import { controllerOf } from '#api/owner.ts'
import type { Stored } from '#api/stored.ts'
import { eventAbout, targetOf } from '#controllers/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller } from '#controllers/controller.ts'
import { type ReplicaSetPlan, planReplicaSet, slowStart, writeReplicaSetStatus } from '#controllers/replicaset/plan.ts'
import { nextAvailableMs, replicaSetStatus } from '#controllers/replicaset/status.ts'
import { claimed, markOwners } from '#controllers/workload.ts'
import { type Writer, isNamespaceGoing } from '#controllers/writer.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'replicaset-controller'

export const replicaSetController: Controller = {
  name,
  alias: 'replicaset',
  async start(context) {
    const { caches, client, clock, signal } = context
    const all = caches.of(replicaSets)
    const podStore = caches.of(pods)
    const podsOf = byOwner(podStore)
    const setsOf = byOwner(all)
    const writer = context.writer(name)
    const queue = context.queue('replicaset', 10, async (key) => {
      const set = all.get(key)
      if (set === undefined) return
      const claim = { client, writer, ownerResource: replicaSets, owner: set, resource: pods, store: podStore, signal }
      const owned = await claimed(claim)
      if (owned === undefined) return queue.mark(key)
      const siblings = setsOf.of(controllerOf(set)?.uid ?? '')
      const related = siblings.flatMap(({ metadata }) => podsOf.of(metadata.uid))
      const plan = planReplicaSet({ set, pods: owned, related, nowMs: clock.now() })
      const failure = await carryOut(writer, set, plan, signal)

      const now = clock.now()
      const after = planReplicaSet({ set, pods: podsOf.of(set.metadata.uid), related: [], nowMs: now })
      const why = failure && {
        reason: plan.create > 0 ? ('FailedCreate' as const) : ('FailedDelete' as const),
        message: messageOf(failure),
      }
      const status = replicaSetStatus(set, after.active, after.terminating, why, now)
      await writer.perform(writeReplicaSetStatus(all.get(key) ?? set, status), signal)
      if (failure !== undefined) throw failure
      const next = nextAvailableMs(set, after.active, now)
      if (next !== undefined) queue.mark(key, next)
    })
    all.listen(({ key }) => queue.mark(key))
    markOwners(podStore, all as never, 'ReplicaSet', (key) => queue.mark(key))
    await caches.synced()
    await queue.run(signal)
  },
}

/** Creates and deletes; answers the first failure. */
async function carryOut(
  writer: Writer,
  set: Stored<ReplicaSet>,
  { create, pod, victims }: ReplicaSetPlan,
  signal: AbortSignal,
): Promise<Error | undefined> {
  for (const size of slowStart(create)) {
    const results = await Promise.all(Array.from({ length: size }, () => createOne(writer, set, pod, signal)))
    const failure = results.find((result) => result !== undefined)
    if (failure !== undefined) return failure === 'namespace is going' ? undefined : failure
  }
  const results = await Promise.all(victims.map((victim) => deleteOne(writer, set, victim, signal)))
  return results.find((result) => result !== undefined)
}

async function createOne(
  writer: Writer,
  set: Stored<ReplicaSet>,
  pod: Pod,
  signal: AbortSignal,
): Promise<Error | 'namespace is going' | undefined> {
  const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    writer.perform([eventAbout(replicaSets, set, type, reason, message)])
  try {
    const made = await writer.create(pods, pod, signal)
    await say('Normal', 'SuccessfulCreate', `Created pod: ${made.metadata?.name}`)
    return undefined
  } catch (error) {
    if (signal.aborted) throw error
    if (isNamespaceGoing(error)) return 'namespace is going'
    await say('Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`)
    return error as Error
  }
}

async function deleteOne(
  writer: Writer,
  set: Stored<ReplicaSet>,
  victim: Stored<Pod>,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    writer.perform([eventAbout(replicaSets, set, type, reason, message)])
  try {
    await writer.perform([{ kind: 'delete', resource: pods, target: targetOf(victim) }], signal)
    await say('Normal', 'SuccessfulDelete', `Deleted pod: ${victim.metadata.name}`)
    return undefined
  } catch (error) {
    if (signal.aborted) throw error
    await say('Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`)
    return error as Error
  }
}

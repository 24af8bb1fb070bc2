// effect: requests to the API server
// ReplicaSets and ReplicationControllers: keeps as many pods as each one wants.

import { type ReplicaSet, type ReplicaSetStatus, replicaSets } from '#api/apps.ts'
import { pods, type ReplicationController, replicationControllers } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { controllerOf } from '#api/owner.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { writeStatus } from '#client/control/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { podWrites } from '#controllers/pod-writes.ts'
import { planReplicaSet } from '#controllers/replicaset/plan.ts'
import { asReplicaSet, statusOfController } from '#controllers/replicaset/replication-controller.ts'
import { nextAvailableMs, replicaSetStatus } from '#controllers/replicaset/status.ts'
import { claimed, markOwners } from '#controllers/workload.ts'
import { messageOf } from '#daemon/error.ts'

type Replicated<T extends ApiObject> = {
  /** who the events are from */
  readonly name: string
  readonly queue: string
  readonly resource: Resource<T>
  asSet(object: Stored<T>): Stored<ReplicaSet>
  statusOf(status: ReplicaSetStatus): object
}

export const replicaSetController: Controller = {
  name: 'replicaset-controller',
  alias: 'replicaset',
  start: (context) =>
    replicate<ReplicaSet>(context, {
      name: 'replicaset-controller',
      queue: 'replicaset',
      resource: replicaSets,
      asSet: (set) => set,
      statusOf: (status) => status,
    }),
}

export const replicationController: Controller = {
  name: 'replicationcontroller-controller',
  alias: 'replicationcontroller',
  start: (context) =>
    replicate<ReplicationController>(context, {
      name: 'replication-controller',
      queue: 'replicationmanager',
      resource: replicationControllers,
      asSet: asReplicaSet,
      statusOf: statusOfController,
    }),
}

async function replicate<T extends ApiObject>(
  { caches, client, clock, signal, ...context }: ControllerContext,
  { name, queue: queueName, resource, asSet, statusOf }: Replicated<T>,
): Promise<void> {
  const all = caches.of(resource)
  const podStore = caches.of(pods)
  const podsOf = byOwner(podStore)
  const ownersOf = byOwner(all)
  const writer = context.writer(name)
  const queue = context.queue(queueName, 10, async (key) => {
    const object = all.get(key)
    if (object === undefined) return
    const set = asSet(object)
    const claim = { client, writer, ownerResource: resource, owner: set, resource: pods, store: podStore, signal }
    const owned = await claimed(claim)
    if (owned === undefined) return queue.mark(key)
    const siblings = ownersOf.of(controllerOf(set)?.uid ?? '')
    const related = siblings.flatMap(({ metadata }) => podsOf.of(metadata.uid))
    const plan = planReplicaSet({ resource, set, pods: owned, related, nowMs: clock.now() })
    const writes = podWrites(writer, resource, set, signal)
    const wanted = Array.from({ length: plan.create }, () => plan.pod)
    const failure = (await writes.create(wanted)) ?? (await writes.remove(plan.victims))

    const now = clock.now()
    const after = planReplicaSet({ resource, set, pods: podsOf.of(set.metadata.uid), related: [], nowMs: now })
    const why = failure && {
      reason: plan.create > 0 ? ('FailedCreate' as const) : ('FailedDelete' as const),
      message: messageOf(failure),
    }
    const status = statusOf(replicaSetStatus(set, after.active, after.terminating, why, now))
    await writer.perform(writeStatus(resource, all.get(key) ?? object, status), signal)
    if (failure !== undefined) throw failure
    const next = nextAvailableMs(set, after.active, now)
    if (next !== undefined) queue.mark(key, next)
  })
  all.listen(({ key }) => queue.mark(key))
  markOwners(
    podStore,
    all as never,
    resource.kind,
    (key) => queue.mark(key),
    (owner) => asSet(owner as never).spec.selector,
  )
  await caches.synced()
  await queue.run(signal)
}

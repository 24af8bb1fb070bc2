// effect: requests to the API server
// ReplicaSets: keeps as many pods as each one wants.

import { replicaSets } from '#api/apps.ts'
import { pods } from '#api/core.ts'
import { controllerOf } from '#api/owner.ts'
import { writeStatus } from '#client/control/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller } from '#controllers/controller.ts'
import { podWrites } from '#controllers/pod-writes.ts'
import { planReplicaSet } from '#controllers/replicaset/plan.ts'
import { nextAvailableMs, replicaSetStatus } from '#controllers/replicaset/status.ts'
import { claimed, markOwners } from '#controllers/workload.ts'
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
      const writes = podWrites(writer, replicaSets, set, signal)
      const wanted = Array.from({ length: plan.create }, () => plan.pod)
      const failure = (await writes.create(wanted)) ?? (await writes.remove(plan.victims))

      const now = clock.now()
      const after = planReplicaSet({ set, pods: podsOf.of(set.metadata.uid), related: [], nowMs: now })
      const why = failure && {
        reason: plan.create > 0 ? ('FailedCreate' as const) : ('FailedDelete' as const),
        message: messageOf(failure),
      }
      const status = replicaSetStatus(set, after.active, after.terminating, why, now)
      await writer.perform(writeStatus(replicaSets, all.get(key) ?? set, status), signal)
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

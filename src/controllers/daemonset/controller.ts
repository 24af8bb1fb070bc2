// effect: requests to the API server
// DaemonSets: one pod on every node that the set is for.

import { controllerRevisions, daemonSets } from '#api/apps.ts'
import { nodes, pods } from '#api/core.ts'
import { writeStatus } from '#client/control/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller } from '#controllers/controller.ts'
import { daemonPod, placeOn } from '#controllers/daemonset/nodes.ts'
import { type DaemonSetState, daemonSetStatus, nextAvailable, planDaemonSet } from '#controllers/daemonset/plan.ts'
import { podWrites } from '#controllers/pod-writes.ts'
import { planRevision, planTruncation, revisionLabel } from '#controllers/revision-history.ts'
import { claimed, markOwners, performRevision } from '#controllers/workload.ts'

const name = 'daemonset-controller'

export const daemonSetController: Controller = {
  name,
  alias: 'daemonset',
  async start(context) {
    const { caches, client, clock, signal } = context
    const all = caches.of(daemonSets)
    const podStore = caches.of(pods)
    const nodeStore = caches.of(nodes)
    const revisionStore = caches.of(controllerRevisions)
    const podsOf = byOwner(podStore)
    const writer = context.writer(name)

    const queue = context.queue('daemonset', 2, async (key) => {
      const set = all.get(key)
      if (set === undefined) return
      const claim = { client, writer, ownerResource: daemonSets, owner: set, signal }
      const owned = await claimed({ ...claim, resource: pods, store: podStore })
      const revisions = await claimed({ ...claim, resource: controllerRevisions, store: revisionStore })
      if (owned === undefined || revisions === undefined) return queue.mark(key)
      const revision = planRevision(daemonSets, set, revisions)
      if (revision.kind === 'act') {
        if (set.metadata.deletionTimestamp !== undefined) return
        await performRevision(writer, daemonSets, set, revision.act, signal)
        return queue.mark(key)
      }
      const hash = revision.revision.metadata.labels?.[revisionLabel] ?? ''
      const state: DaemonSetState = { set, nodes: [...nodeStore.values()], pods: owned, hash, nowMs: clock.now() }
      const plan = planDaemonSet(state)
      await writer.perform(plan.events, signal)
      const writes = podWrites(writer, daemonSets, set, signal)
      const failure =
        (await writes.remove(plan.remove)) ??
        (await writes.create(plan.create.map((node) => daemonPod(set, node, hash))))

      const after = { ...state, pods: podsOf.of(set.metadata.uid), nowMs: clock.now() }
      await writer.perform(writeStatus(daemonSets, all.get(key) ?? set, daemonSetStatus(after)), signal)
      if (failure !== undefined) throw failure
      const used = new Set(after.pods.map(({ metadata }) => metadata.labels?.[revisionLabel]))
      const live = revisions.filter(({ metadata }) => used.has(metadata.labels?.[revisionLabel]))
      const names = new Set([revision.revision, ...live].map(({ metadata }) => metadata.name))
      await writer.perform(planTruncation(set, revisions, names), signal)
      for (const afterMs of [plan.againAfterMs, nextAvailable(after)])
        if (afterMs !== undefined) queue.mark(key, afterMs)
    })
    all.listen(({ key }) => queue.mark(key))
    markOwners(podStore, all as never, 'DaemonSet', (key) => queue.mark(key))
    nodeStore.listen(({ value, old }) => {
      for (const set of all.values()) {
        if (old !== undefined && placeOn(set, old) === placeOn(set, value)) continue
        queue.mark(`${set.metadata.namespace}/${set.metadata.name}`)
      }
    })
    await caches.synced()
    await queue.run(signal)
  },
}

// effect: requests to the API server
// StatefulSets: pods with a number, a name and volumes of their own.

import { type StatefulSet, controllerRevisions, statefulSets } from '#api/apps.ts'
import { persistentVolumeClaims, pods } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { isAlreadyExists } from '#client/client.ts'
import { writeStatus } from '#client/control/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller } from '#controllers/controller.ts'
import { planRevision, planTruncation, templateOf } from '#controllers/revision-history.ts'
import { type Step, planStatefulSet, stepEvent } from '#controllers/statefulset/plan.ts'
import { revisionOf, statefulSetStatus } from '#controllers/statefulset/status.ts'
import { claimed, markOwners, performRevision } from '#controllers/workload.ts'
import { type Writer, isNamespaceGoing } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'statefulset-controller'

export const statefulSetController: Controller = {
  name,
  alias: 'statefulset',
  async start(context) {
    const { caches, client, clock, signal } = context
    const all = caches.of(statefulSets)
    const podStore = caches.of(pods)
    const claims = caches.of(persistentVolumeClaims)
    const revisionStore = caches.of(controllerRevisions)
    const podsOf = byOwner(podStore)
    const writer = context.writer(name)

    const queue = context.queue('statefulset', 5, async (key) => {
      const set = all.get(key)
      if (set === undefined) return
      const claim = { client, writer, ownerResource: statefulSets, owner: set, signal }
      const owned = await claimed({ ...claim, resource: pods, store: podStore })
      const revisions = await claimed({ ...claim, resource: controllerRevisions, store: revisionStore })
      if (owned === undefined || revisions === undefined) return queue.mark(key)
      const revision = planRevision(statefulSets, set, revisions)
      if (revision.kind === 'act') {
        if (set.metadata.deletionTimestamp !== undefined) return
        await performRevision(writer, statefulSets, set, revision.act, signal)
        return queue.mark(key)
      }
      const update = revision.revision
      const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update
      const named = ({ metadata, ...rest }: typeof update) => ({ name: metadata.name, template: templateOf(rest) })
      const nowMs = clock.now()
      const plan = planStatefulSet({
        set,
        pods: owned,
        claimNamed: (claimName) => claims.get(`${set.metadata.namespace}/${claimName}`),
        current: named(current),
        update: named(update),
        nowMs,
      })
      const failure = await carryOut(writer, set, plan.steps, signal)
      const after = podsOf.of(set.metadata.uid)
      const status = statefulSetStatus(set, after, current.metadata.name, update.metadata.name, clock.now())
      await writer.perform(writeStatus(statefulSets, all.get(key) ?? set, status), signal)
      if (failure !== undefined) throw failure
      const live = new Set([current.metadata.name, update.metadata.name, ...after.map((pod) => revisionOf(pod) ?? '')])
      await writer.perform(planTruncation(set, revisions, live), signal)
      if (plan.againAfterMs !== undefined) queue.mark(key, plan.againAfterMs)
    })
    all.listen(({ key }) => queue.mark(key))
    markOwners(podStore, all as never, 'StatefulSet', (key) => queue.mark(key))
    // A claim that is gone may be what a pod waits for.
    const byNamespace = all.index(({ metadata }) => [metadata.namespace])
    claims.listen(({ kind, value }) => {
      if (kind !== 'removed') return
      for (const { metadata } of byNamespace.of(value.metadata.namespace))
        queue.mark(`${metadata.namespace}/${metadata.name}`)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** Takes the steps; answers what one failed with, after which no more are taken. */
async function carryOut(
  writer: Writer,
  set: Stored<StatefulSet>,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<unknown> {
  for (const step of steps) {
    try {
      await writer.perform(step.acts, signal)
      if (step.verb !== 'update') await writer.perform([stepEvent(set, step)])
    } catch (error) {
      if (isNamespaceGoing(error)) return undefined
      if (!signal.aborted && !isAlreadyExists(error)) await writer.perform([stepEvent(set, step, messageOf(error))])
      return error
    }
  }
  return undefined
}

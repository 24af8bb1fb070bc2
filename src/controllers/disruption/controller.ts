// effect: requests to the API server
// PodDisruptionBudgets: keeps in their status how many pods may go.

import { deployments, replicaSets, statefulSets } from '#api/apps.ts'
import { type Pod, pods, replicationControllers } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { controllerOf } from '#api/owner.ts'
import { isPodReady } from '#api/pod-state.ts'
import { podDisruptionBudgets } from '#api/policy.ts'
import { matchLabelSelector } from '#api/selector.ts'
import type { Stored, StoredMeta } from '#api/stored.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { planDisruption } from '#controllers/disruption/plan.ts'
import { equalJson } from '#lib/equal.ts'

const name = 'disruption-controller'

export const disruptionController: Controller = {
  name,
  alias: 'disruption',
  async start(context) {
    const { caches, clock, signal } = context
    const budgets = caches.of(podDisruptionBudgets)
    const budgetsOf = budgets.index(({ metadata }) => [metadata.namespace])
    const podStore = caches.of(pods)
    const podsOf = podStore.index(({ metadata }) => [metadata.namespace])
    const scaleOf = scales(caches)
    const writer = context.writer(name)

    const queue = context.queue('disruption', 5, async (key) => {
      const budget = budgets.get(key)
      if (budget === undefined) return
      const { selector } = budget.spec
      const its = selector
        ? podsOf.of(budget.metadata.namespace).filter(({ metadata }) => matchLabelSelector(selector, metadata.labels))
        : []
      const plan = planDisruption({ budget, pods: its, scaleOf, nowMs: clock.now() })
      await writer.perform(plan.acts, signal)
      if (plan.againAfterMs !== undefined) queue.mark(key, plan.againAfterMs)
    })
    const markOf = (namespace: string, isMeant: (selector: object) => boolean) => {
      for (const budget of budgetsOf.of(namespace))
        if (budget.spec.selector && isMeant(budget.spec.selector)) queue.mark(keyOf(budget))
    }
    budgets.listen(({ key, kind }) => {
      if (kind !== 'removed') queue.mark(key)
    })
    podStore.listen(({ value, old, kind }) => {
      if (kind === 'changed' && old !== undefined && !counts(old, value)) return
      const labels = [value.metadata.labels, ...(old === undefined ? [] : [old.metadata.labels])]
      markOf(value.metadata.namespace, (selector) => labels.some((one) => matchLabelSelector(selector, one)))
    })
    const rescaled = ({ value, old }: { value: Scaled; old?: Scaled | undefined }) => {
      if (value.spec.replicas !== old?.spec.replicas) markOf(value.metadata.namespace, () => true)
    }
    caches.of(deployments).listen(rescaled)
    caches.of(replicaSets).listen(rescaled)
    caches.of(statefulSets).listen(rescaled)
    caches.of(replicationControllers).listen(rescaled)
    await caches.synced()
    await queue.run(signal)
  },
}

type Scaled = { readonly metadata: StoredMeta; readonly spec: { readonly replicas?: number } }

/** Whether a change of a pod can change what its budget allows. */
const counts = (old: Stored<Pod>, now: Stored<Pod>) =>
  isPodReady(old) !== isPodReady(now) ||
  old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp ||
  !equalJson(old.metadata.labels, now.metadata.labels)

function scales(caches: ControllerContext['caches']) {
  const all = {
    Deployment: caches.of(deployments),
    ReplicaSet: caches.of(replicaSets),
    StatefulSet: caches.of(statefulSets),
    ReplicationController: caches.of(replicationControllers),
  }
  return (pod: Stored<Pod>) => {
    const owner = controllerOf(pod)
    if (owner === undefined) return 'unmanaged' as const
    const found = all[owner.kind as keyof typeof all]?.get(`${pod.metadata.namespace}/${owner.name}`)
    if (found?.metadata.uid !== owner.uid) return undefined
    const above = controllerOf(found)
    const top = above?.kind === 'Deployment' ? all.Deployment.get(`${pod.metadata.namespace}/${above.name}`) : undefined
    const counted = top?.metadata.uid === above?.uid && top !== undefined ? top : found
    return { uid: counted.metadata.uid, replicas: counted.spec.replicas ?? 1 }
  }
}

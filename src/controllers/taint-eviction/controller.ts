// effect: requests to the API server
// Removes pods from nodes whose NoExecute taints they do not tolerate (any longer).

import { nodes, pods } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Controller } from '#controllers/controller.ts'
import { podsByNode } from '#controllers/pods-by-node.ts'
import { cancelled, planEviction } from '#controllers/taint-eviction/plan.ts'
import { equalJson } from '#lib/equal.ts'

const name = 'taint-eviction-controller'

export const taintEvictionController: Controller = {
  name,
  async start(context) {
    const { caches, clock, signal } = context
    const all = caches.of(pods)
    const nodeStore = caches.of(nodes)
    const podsOf = podsByNode(all)
    const writer = context.writer(name)
    /** since when a pod has had to put up with its node's taints; kept in memory, so a restart gives the time anew */
    const since = new Map<string, { readonly uid: string; readonly ms: number }>()

    const queue = context.queue('noexec_taint', 8, async (key) => {
      const pod = all.get(key)
      const known = since.get(key)
      const isSame = known !== undefined && known.uid === pod?.metadata.uid
      if (!isSame) since.delete(key)
      if (pod === undefined) return
      const plan = planEviction(pod, nodeStore.get(pod.spec.nodeName ?? ''), isSame ? known.ms : undefined, clock.now())
      switch (plan.kind) {
        case 'wait':
          since.set(key, { uid: pod.metadata.uid, ms: plan.sinceMs })
          return queue.mark(key, plan.forMs)
        case 'evict':
          await writer.perform(plan.acts, signal)
          return void since.delete(key)
        case 'stay':
          if (since.delete(key) && pod.metadata.deletionTimestamp === undefined) await writer.perform([cancelled(pod)])
      }
    })
    all.listen(({ key, value, old }) => {
      const isSame =
        old?.spec.nodeName === value.spec.nodeName && equalJson(old?.spec.tolerations, value.spec.tolerations)
      if (old === undefined || !isSame) queue.mark(key)
    })
    nodeStore.listen(({ key, value, old }) => {
      if (old === undefined || !equalJson(old.spec.taints, value.spec.taints))
        for (const pod of podsOf.of(key)) queue.mark(keyOf(pod))
    })
    await caches.synced()
    await queue.run(signal)
  },
}

// effect: requests to the API server
// Notices nodes that have gone silent. Nothing is polled: a node is looked at when it, its lease or one of its pods
// changes, and when its silence will have lasted too long.

import { leases } from '#api/coordination.ts'
import { nodes, pods } from '#api/core.ts'
import { eventAbout } from '#client/control/act.ts'
import type { Controller } from '#controllers/controller.ts'
import { podsByNode } from '#controllers/pods-by-node.ts'
import { type Heard, hear, isNodeReady } from '#controllers/node-lifecycle/health.ts'
import { planNode } from '#controllers/node-lifecycle/plan.ts'

const name = 'node-lifecycle-controller'
const leaseNamespace = 'kube-node-lease'

export const nodeLifecycleController: Controller = {
  name,
  alias: 'nodelifecycle',
  async start(context) {
    const { caches, clock, settings, signal } = context
    const all = caches.of(nodes)
    const leaseStore = caches.of(leases)
    const podStore = caches.of(pods)
    const podsOf = podsByNode(podStore)
    const writer = context.writer('node-controller')
    const grace = { monitorMs: settings.nodeMonitorGracePeriod, startupMs: settings.nodeStartupGracePeriod }
    const health = new Map<string, Heard>()

    const withHealth = () => [...all.values()].map((node) => [node, health.get(node.metadata.name)] as const)
    const queue = context.queue('node_lifecycle_controller', 4, async (key) => {
      const node = all.get(key)
      if (node === undefined) return void health.delete(key)
      const nowMs = clock.now()
      const heard = hear(health.get(key), node, leaseStore.get(`${leaseNamespace}/${key}`), nowMs)
      health.set(key, heard)
      const plan = planNode({ node, heard, nodes: withHealth(), pods: podsOf.of(key), grace, nowMs })
      await writer.perform(plan.acts, signal)
      await Promise.all(pairs(plan.podActs).map((acts) => writer.perform(acts, signal)))
      if (plan.againAfterMs !== undefined) queue.mark(key, plan.againAfterMs)
    })
    all.listen(({ kind, key, value, old }) => {
      queue.mark(key)
      const isNew = kind === 'added'
      if (kind !== 'changed') {
        const [reason, what] = isNew
          ? ['RegisteredNode', `Registered Node ${key} in Controller`]
          : ['RemovingNode', `Removing Node ${key} from Controller`]
        void writer.perform([eventAbout(nodes, value, 'Normal', reason, `Node ${key} event: ${what}`)])
      }
      // Whether anyone answers at all decides about the taints of the others.
      if (kind !== 'changed' || isNodeReady(value) !== (old !== undefined && isNodeReady(old)))
        for (const node of all.values()) queue.mark(node.metadata.name)
    })
    leaseStore.listen(({ value }) => {
      if (value.metadata.namespace === leaseNamespace) queue.mark(value.metadata.name)
    })
    podStore.listen(({ value, old }) => {
      const { nodeName } = value.spec
      if (nodeName && old?.spec.nodeName !== nodeName) queue.mark(nodeName)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** A pod's patch and the event about it belong together; pods are independent of each other. */
function pairs<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / 2) }, (_, i) => list.slice(2 * i, 2 * i + 2))
}

// effect: requests to the API server
// Removes pods that nobody will end or remove any more.

import { nodes, pods } from '#api/core.ts'
import { isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import { isNotFound } from '#client/client.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { planPodGarbage, quarantineMs } from '#controllers/pod-garbage-collector/plan.ts'
import { podsByNode } from '#controllers/pods-by-node.ts'

const name = 'pod-garbage-collector-controller'

export const podGarbageCollector: Controller = {
  name,
  alias: 'podgc',
  async start(context) {
    const { caches, clock, settings, signal } = context
    const all = caches.of(pods)
    const nodeStore = caches.of(nodes)
    const podsOf = podsByNode(all)
    const writer = context.writer(name)
    const missingSince = new Map<string, number>()

    const queue = context.queue('pod_garbage_collector', 1, async () => {
      const nowMs = clock.now()
      await noteMissing(context, missingSince, nowMs)
      const state = { pods: all.values(), nodes: nodesOf(nodeStore.values()), missingSince, nowMs }
      await writer.perform(planPodGarbage({ ...state, terminatedThreshold: settings.terminatedPodGcThreshold }), signal)
      if (missingSince.size > 0) queue.mark('all', quarantineMs / 2)
    })
    all.listen(({ kind, value, old }) => {
      if (kind === 'removed') return
      const { nodeName } = value.spec
      const isLost = nodeName !== undefined && nodeName !== '' && nodeStore.get(nodeName) === undefined
      const isLeavingUnbound = isPodTerminating(value) && !nodeName
      const isFinished = isPodTerminal(value) && !(old !== undefined && isPodTerminal(old))
      if (isLost || isLeavingUnbound || isFinished) queue.mark('all')
    })
    nodeStore.listen(({ kind, key, value, old }) => {
      const isTainted = kind === 'changed' && value.spec.taints !== old?.spec.taints
      if ((kind === 'removed' || isTainted) && podsOf.of(key).length > 0) queue.mark('all')
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** Keeps since when pods are bound to nodes that do not exist; the server itself is asked before the time is up. */
async function noteMissing(
  { caches, client, signal }: ControllerContext,
  missingSince: Map<string, number>,
  nowMs: number,
): Promise<void> {
  const nodeStore = caches.of(nodes)
  const bound = new Set([...caches.of(pods).values()].map(({ spec }) => spec.nodeName ?? ''))
  for (const name of missingSince.keys()) if (!bound.has(name) || nodeStore.get(name)) missingSince.delete(name)
  for (const name of bound) {
    if (name === '' || nodeStore.get(name) !== undefined) continue
    const since = missingSince.get(name)
    if (since === undefined) missingSince.set(name, nowMs)
    else if (nowMs - since >= quarantineMs && (await exists(client, name, signal))) missingSince.delete(name)
  }
}

async function exists(client: ControllerContext['client'], name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await client.get(nodes, name, { signal })
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

function nodesOf<T extends { readonly metadata: { readonly name: string } }>(
  list: Iterable<T>,
): ReadonlyMap<string, T> {
  return new Map([...list].map((node) => [node.metadata.name, node]))
}

// effect: requests to the API server
// The scheduler: gives each pod its node as soon as it appears, and tries those that found none again when something
// changes that may help.

import { replicaSets } from '#api/apps.ts'
import {
  type Node,
  type Pod,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  services,
} from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { controllerOf } from '#api/owner.ts'
import { isPodTerminal, isPodTerminating } from '#api/pod-state.ts'
import { storageClasses } from '#api/storage.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { isNotFound } from '#client/client.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { podsByNode } from '#controllers/pods-by-node.ts'
import { byPriority, isNews, isWaiting, planPlacement } from '#controllers/scheduler/plan.ts'
import { createReservations } from '#controllers/scheduler/reservations.ts'
import { type ClusterView, type NodeView, viewOf } from '#controllers/scheduler/view.ts'
import type { VolumeView } from '#controllers/scheduler/volumes.ts'
import { selectionOf } from '#controllers/selection.ts'
import type { Writer } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'
import { createLoop } from '#daemon/loop.ts'
import { equalJson } from '#lib/equal.ts'

const name = 'scheduler'
/** The key that stands for all pods that found no node. */
const everyone = ''
/** Pauses of a pod whose binding failed. */
const backoffMs = { first: 1000, most: 10_000 }
/** Pods without a node are tried again after this time even if nothing seems to have changed. */
const flushMs = 300_000

export const scheduler: Controller = {
  name,
  async start(context) {
    const { caches, clock, log, signal } = context
    const store = caches.of(pods)
    const nodeStore = caches.of(nodes)
    const writer = context.writer('default-scheduler')
    const claims = caches.of(persistentVolumeClaims)
    const volumes = caches.of(persistentVolumes)
    const classes = caches.of(storageClasses)
    const unplaced = new Set<string>()
    const binder = createBinder(context, writer, (key) => loop.mark(key))
    const reservations = createReservations(context, writer, (key) => claims.get(key), {
      onBound: (pod, nodeName) => void binder.bind(store.get(keyOf(pod)) ?? pod, nodeName),
      onFailed(pod) {
        // It counted as placed since its volumes were reserved.
        store.assume(pod, clock.now())
        loop.mark(keyOf(pod))
      },
    })
    const view = watchCluster(context, {
      claim: (key) => claims.get(key),
      volume: (name) => volumes.get(name),
      volumes: () => volumes.values(),
      storageClass: (name) => classes.get(name),
      get promised() {
        return reservations.promised
      },
    })

    const loop = createLoop({
      name,
      clock,
      log,
      resyncMs: flushMs,
      onResync: () => unplaced,
      async act(keys) {
        const all = keys.has(everyone) ? [...keys, ...unplaced] : [...keys]
        const waiting = [...new Set(all)]
          .flatMap((key) => store.get(key) ?? [])
          .filter((pod) => isWaiting(pod) && !reservations.has(keyOf(pod)))
        const told: Promise<void>[] = []
        for (const pod of waiting.sort(byPriority)) {
          const key = keyOf(pod)
          const placement = planPlacement(pod, view())
          if (placement.kind === 'node') {
            unplaced.delete(key)
            if (placement.reserved) {
              store.assume({ ...pod, spec: { ...pod.spec, nodeName: placement.name } }, clock.now())
              told.push(reservations.begin(pod, placement.name, placement.reserved))
              continue
            }
            // The pod counts as placed at once; the server is told while the next one is being placed.
            told.push(binder.bind(pod, placement.name))
            continue
          }
          unplaced.add(key)
          if (isNews(pod, placement.message))
            told.push(writer.perform(refusal(pod, placement.message, clock.now()), signal).catch(ignoreGone(pod)))
        }
        await Promise.all(told)
      },
    })

    const ignoreGone = (pod: Stored<Pod>) => (error: unknown) => {
      if (!signal.aborted && !isNotFound(error)) loop.mark(keyOf(pod))
    }

    store.listen(({ kind, key, value, old }) => {
      if (kind === 'removed') {
        unplaced.delete(key)
        reservations.drop(key)
        binder.forget(key)
      } else if (isWaiting(value)) {
        if (old === undefined || !equalJson(old.spec, value.spec) || !isWaiting(old)) loop.mark(key)
        return
      }
      unplaced.delete(key)
      if (unplaced.size > 0 && mayHelp(value, old, kind)) loop.mark(everyone)
    })
    nodeStore.listen(({ kind, value, old }) => {
      if (unplaced.size > 0 && kind !== 'removed' && (old === undefined || offersMore(old, value))) loop.mark(everyone)
    })
    claims.listen(({ value }) => {
      reservations.look(value)
      if (unplaced.size > 0) loop.mark(everyone)
    })
    const markAll = () => {
      if (unplaced.size > 0) loop.mark(everyone)
    }
    volumes.listen(markAll)
    classes.listen(markAll)
    await caches.synced()
    await loop.run(signal)
  },
}

/** Tells the server where a pod goes; a pod that it does not take there comes back after a pause. */
function createBinder({ caches, clock, log, signal }: ControllerContext, writer: Writer, retry: (key: string) => void) {
  const store = caches.of(pods)
  const failures = new Map<string, number>()
  const fail = (pod: Stored<Pod>, nodeName: string, error: unknown) => {
    const key = keyOf(pod)
    // It counted as placed since the request was on its way.
    const isUnchanged = store.get(key)?.metadata.resourceVersion === pod.metadata.resourceVersion
    if (isUnchanged) store.assume(pod, clock.now())
    if (isNotFound(error)) return
    const count = failures.get(key) ?? 0
    failures.set(key, count + 1)
    log.debug('cannot bind pod: will try again', { pod: key, node: nodeName, err: messageOf(error) })
    clock.after(Math.min(backoffMs.first * 2 ** count, backoffMs.most), () => retry(key))
  }
  return {
    async bind(pod: Stored<Pod>, nodeName: string): Promise<void> {
      store.assume({ ...pod, spec: { ...pod.spec, nodeName } }, clock.now())
      try {
        await writer.bind(pod, nodeName, signal)
        failures.delete(keyOf(pod))
        const message = `Successfully assigned ${keyOf(pod)} to ${nodeName}`
        await writer.perform([eventAbout(pods, pod, 'Normal', 'Scheduled', message)])
      } catch (error) {
        if (!signal.aborted) fail(pod, nodeName, error)
      }
    },
    forget: (key: string) => void failures.delete(key),
  }
}

/** A pod that goes or has finished leaves room; one that has just got a node may be what others want to be near to. */
function mayHelp(pod: Stored<Pod>, old: Stored<Pod> | undefined, kind: 'added' | 'changed' | 'removed'): boolean {
  const isBound = Boolean(pod.spec.nodeName)
  const isNewlyBound = isBound && !old?.spec.nodeName
  const isNewlyDone = isPodTerminal(pod) && !(old !== undefined && isPodTerminal(old))
  const isRelabelled = old !== undefined && !equalJson(old.metadata.labels, pod.metadata.labels)
  return kind === 'removed' || isNewlyBound || isNewlyDone || isRelabelled || isPodTerminating(pod)
}

function offersMore(old: Stored<Node>, now: Stored<Node>): boolean {
  return !(
    equalJson(old.spec, now.spec) &&
    equalJson(old.metadata.labels, now.metadata.labels) &&
    equalJson(old.status?.allocatable, now.status?.allocatable)
  )
}

function refusal(pod: Stored<Pod>, message: string, nowMs: number): readonly Act[] {
  const conditions = pod.status?.conditions ?? []
  const had = conditions.find(({ type }) => type === 'PodScheduled')
  const since = had?.status === 'False' ? had.lastTransitionTime : undefined
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: since ?? formatTime(nowMs),
  }
  const others = conditions.filter(({ type }) => type !== 'PodScheduled')
  return [
    eventAbout(pods, pod, 'Warning', 'FailedScheduling', message),
    patchOf(pods, pod, { status: { conditions: [...others, condition] } }, 'status'),
  ]
}

/** The cluster as it is at each call; only nodes on which something changed are looked at anew. */
function watchCluster({ caches }: ControllerContext, volumes: VolumeView): () => ClusterView {
  const store = caches.of(pods)
  const nodeStore = caches.of(nodes)
  const namespaceStore = caches.of(namespaces)
  const sets = caches.of(replicaSets)
  const selection = selectionOf(caches.of(services), store)
  const podsOf = podsByNode(store)
  const views = new Map<string, NodeView>()
  store.listen(({ value, old }) => {
    views.delete(value.spec.nodeName ?? '')
    if (old !== undefined) views.delete(old.spec.nodeName ?? '')
  })
  nodeStore.listen(({ key }) => views.delete(key))

  const view = (node: Stored<Node>): NodeView => {
    const { name } = node.metadata
    let known = views.get(name)
    if (known === undefined) views.set(name, (known = viewOf(node, podsOf.of(name))))
    return known
  }
  return () => ({
    volumes,
    nodes: [...nodeStore.values()].filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(view),
    namespaceLabels: (namespace) => namespaceStore.get(namespace)?.metadata.labels ?? {},
    groupsOf(pod) {
      const owner = controllerOf(pod)
      const set = sets.get(`${pod.metadata.namespace}/${owner?.name ?? ''}`)
      const ofServices = selection.servicesOf(pod).map(({ spec }) => spec.selector ?? {})
      return [...ofServices, ...(set?.spec.selector.matchLabels ? [set.spec.selector.matchLabels] : [])]
    },
  })
}

// What to do about one DaemonSet: one pod on each node that it is for, and old ones replaced a few at a time.

import { type DaemonSet, type DaemonSetStatus, daemonSets } from '#api/apps.ts'
import type { Node, Pod } from '#api/core.ts'
import { scaledCount } from '#api/int-or-percent.ts'
import { isPodAvailable, isPodReady, isPodTerminating, podAvailableInMs } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout } from '#client/control/act.ts'
import { type OnNode, nodeOf, placeOn } from '#controllers/daemonset/nodes.ts'
import { revisionLabel } from '#controllers/revision-history.ts'

export type DaemonSetState = {
  readonly set: Stored<DaemonSet>
  readonly nodes: readonly Stored<Node>[]
  /** those that it owns */
  readonly pods: readonly Stored<Pod>[]
  /** that of the present template, as its pods carry it */
  readonly hash: string
  readonly nowMs: number
}

export type DaemonSetPlan = {
  /** nodes that need a pod */
  readonly create: readonly string[]
  readonly remove: readonly Stored<Pod>[]
  readonly events: readonly Act[]
  /** a pod has failed so soon that its successor shall not come at once */
  readonly againAfterMs?: number
}

/** A failed pod stays at least so long since its creation: one that a node refuses at once would come back for ever. */
const failedPauseMs = 10_000

type Daemons = {
  readonly node: string
  readonly place: OnNode
  /** oldest first, all that are there */
  readonly pods: readonly Stored<Pod>[]
}

export function planDaemonSet(state: DaemonSetState): DaemonSetPlan {
  const { set } = state
  if (set.metadata.deletionTimestamp !== undefined) return { create: [], remove: [], events: [] }
  const pause: number[] = []
  const daemons = byNode(state)
  const surge = limits(set, daemons).surge > 0
  const create = new Set<string>()
  const remove = new Set<Stored<Pod>>()
  const events: Act[] = []
  for (const one of daemons) planNode(state, one, surge, { create, remove, events, pause })
  for (const pod of strays(state)) remove.add(pod)
  // What is missing is made before what is old is replaced.
  if (
    create.size === 0 &&
    remove.size === 0 &&
    (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
  ) {
    const replaced = surge ? planSurge(state, daemons) : planReplacement(state, daemons)
    for (const pod of replaced.remove) remove.add(pod)
    for (const node of replaced.create) create.add(node)
  }
  return {
    create: [...create],
    remove: [...remove],
    events,
    ...(pause.length === 0 ? {} : { againAfterMs: Math.min(...pause) }),
  }
}

function byNode({ set, nodes, pods }: DaemonSetState): readonly Daemons[] {
  const groups = Map.groupBy(pods, (pod) => nodeOf(pod) ?? '')
  return nodes.map((node) => ({
    node: node.metadata.name,
    place: placeOn(set, node),
    pods: (groups.get(node.metadata.name) ?? []).toSorted(byAge),
  }))
}

function byAge(a: Stored<Pod>, b: Stored<Pod>): number {
  const bound = Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName))
  if (bound !== 0) return bound
  return a.metadata.creationTimestamp < b.metadata.creationTimestamp ||
    (a.metadata.creationTimestamp === b.metadata.creationTimestamp && a.metadata.name < b.metadata.name)
    ? -1
    : 1
}

/** Pods that wait for a node which is gone: the scheduler can never place them. */
function strays({ nodes, pods }: DaemonSetState): readonly Stored<Pod>[] {
  const names = new Set(nodes.map(({ metadata }) => metadata.name))
  return pods.filter((pod) => !pod.spec.nodeName && !isPodTerminating(pod) && !names.has(nodeOf(pod) ?? ''))
}

type Found = {
  readonly create: Set<string>
  readonly remove: Set<Stored<Pod>>
  readonly events: Act[]
  readonly pause: number[]
}

function planNode(state: DaemonSetState, { node, place, pods }: Daemons, surge: boolean, found: Found): void {
  const staying = pods.filter((pod) => !isPodTerminating(pod))
  if (place === 'goes') {
    for (const pod of staying) found.remove.add(pod)
    return
  }
  if (place === 'runs' && pods.length === 0) return void found.create.add(node)
  const running = staying.filter((pod) => {
    const said = finishedEvent(state.set, pod, node)
    if (said === undefined) return true
    const pauseMs = Date.parse(pod.metadata.creationTimestamp) + failedPauseMs - state.nowMs
    if (pod.status?.phase === 'Failed' && pauseMs > 0) {
      found.pause.push(pauseMs)
      return false
    }
    found.events.push(said)
    found.remove.add(pod)
    return false
  })
  if (!surge) {
    for (const pod of running.slice(1)) found.remove.add(pod)
    return
  }
  if (staying.length === 0 && place === 'runs') found.create.add(node)
  const [fresh, ...moreFresh] = running.filter((pod) => isCurrent(state, pod))
  const [old, ...moreOld] = running.filter((pod) => !isCurrent(state, pod))
  for (const pod of [...moreFresh, ...moreOld]) found.remove.add(pod)
  if (fresh && old && (!isPodReady(old) || isAvailable(state, fresh))) found.remove.add(old)
}

function finishedEvent(set: Stored<DaemonSet>, pod: Stored<Pod>, node: string): Act | undefined {
  const { namespace, name } = pod.metadata
  const where = `daemon pod ${namespace}/${name} on node ${node}`
  switch (pod.status?.phase) {
    case 'Failed':
      return eventAbout(daemonSets, set, 'Warning', 'FailedDaemonPod', `Found failed ${where}, will try to kill it`)
    case 'Succeeded':
      return eventAbout(
        daemonSets,
        set,
        'Normal',
        'SucceededDaemonPod',
        `Found succeeded ${where}, will try to delete it`,
      )
    default:
      return undefined
  }
}

const isCurrent = ({ hash }: DaemonSetState, { metadata }: Stored<Pod>): boolean =>
  metadata.labels?.[revisionLabel] === hash
const isAvailable = ({ set, nowMs }: DaemonSetState, pod: Pod): boolean =>
  isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)

function limits(set: Stored<DaemonSet>, daemons: readonly Daemons[]) {
  const desired = daemons.filter(({ place }) => place === 'runs').length
  const { maxUnavailable = 1, maxSurge = 0 } = set.spec.updateStrategy?.rollingUpdate ?? {}
  const surge = scaledCount(maxSurge, desired, 'up') ?? 0
  const unavailable = scaledCount(maxUnavailable, desired, 'up') ?? 0
  return { surge, unavailable: desired > 0 && surge === 0 && unavailable === 0 ? 1 : unavailable }
}

type Replacement = { readonly remove: readonly Stored<Pod>[]; readonly create: readonly string[] }

/** Without surge: old pods that do not work go, and of those that do as many as may be missing. */
function planReplacement(state: DaemonSetState, daemons: readonly Daemons[]): Replacement {
  const broken: Stored<Pod>[] = []
  const working: Stored<Pod>[] = []
  let missing = 0
  for (const { pods, place } of daemons) {
    const staying = pods.filter((pod) => !isPodTerminating(pod))
    const [fresh] = staying.filter((pod) => isCurrent(state, pod))
    const [old] = staying.filter((pod) => !isCurrent(state, pod))
    if (place !== 'runs' && staying.length === 0) continue
    if (fresh === undefined && old !== undefined && isAvailable(state, old)) working.push(old)
    else if (fresh === undefined && old !== undefined) {
      broken.push(old)
      missing++
    } else if (fresh === undefined || old !== undefined || !isAvailable(state, fresh)) missing++
  }
  const room = Math.max(0, limits(state.set, daemons).unavailable - missing)
  return { remove: [...broken, ...working.slice(0, room)], create: [] }
}

/** With surge: a new pod comes beside the old one, which goes once the new one is available. */
function planSurge(state: DaemonSetState, daemons: readonly Daemons[]): Replacement {
  const broken: string[] = []
  const working: string[] = []
  let extra = 0
  for (const { node, pods, place } of daemons) {
    const staying = pods.filter((pod) => !isPodTerminating(pod))
    const hasFresh = staying.some((pod) => isCurrent(state, pod))
    const old = staying.find((pod) => !isCurrent(state, pod))
    if (old === undefined || place !== 'runs') continue
    if (hasFresh) extra++
    else (isAvailable(state, old) ? working : broken).push(node)
  }
  const room = Math.max(0, limits(state.set, daemons).surge - extra)
  return { remove: [], create: [...broken, ...working.slice(0, room)] }
}

export function daemonSetStatus(state: DaemonSetState): DaemonSetStatus {
  const { set } = state
  const daemons = byNode(state)
  const wanted = daemons.filter(({ place }) => place === 'runs')
  const first = wanted.flatMap(({ pods }) => pods[0] ?? [])
  const available = first.filter((pod) => isAvailable(state, pod)).length
  const { collisionCount, conditions } = set.status ?? {}
  return {
    currentNumberScheduled: first.length,
    numberMisscheduled: daemons.filter(({ place, pods }) => place !== 'runs' && pods.length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: first.filter(isPodReady).length,
    ...nonZero('observedGeneration', set.metadata.generation ?? 0),
    ...nonZero('updatedNumberScheduled', first.filter((pod) => isCurrent(state, pod)).length),
    ...nonZero('numberAvailable', available),
    ...nonZero('numberUnavailable', wanted.length - available),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  }
}

function nonZero<K extends keyof DaemonSetStatus>(name: K, count: number): { readonly [P in K]?: number } {
  return count === 0 ? {} : ({ [name]: count } as { readonly [P in K]: number })
}

/** After how long the next pod becomes available. */
export function nextAvailable({ set, pods, nowMs }: DaemonSetState): number | undefined {
  const waits = pods
    .map((pod) => podAvailableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs) ?? 0)
    .filter((ms) => ms > 0)
  return waits.length === 0 ? undefined : Math.min(...waits)
}

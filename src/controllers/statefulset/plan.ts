// What to do about one StatefulSet: its pods have numbers, and by default come one after the other, each when the one
// before is available, and go in the opposite order.

import { type StatefulSet, statefulSets } from '#api/apps.ts'
import { type PersistentVolumeClaim, type Pod, type PodTemplateSpec, pods as podResource } from '#api/core.ts'
import { scaledCount } from '#api/int-or-percent.ts'
import { isPodAvailable, isPodTerminal, isPodTerminating, podAvailableInMs } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, patchOf, targetOf } from '#client/control/act.ts'
import { hasGoingClaim, planClaims, planOwners } from '#controllers/statefulset/claims.ts'
import { identityLabels, isInRange, ordinalOf, podOf, replicasOf, startOf } from '#controllers/statefulset/identity.ts'
import { isRunningAndReady, revisionOf } from '#controllers/statefulset/status.ts'

export type Revision = { readonly name: string; readonly template: PodTemplateSpec }

export type StatefulSetState = {
  readonly set: Stored<StatefulSet>
  /** those that it owns */
  readonly pods: readonly Stored<Pod>[]
  readonly claimNamed: (name: string) => Stored<PersistentVolumeClaim> | undefined
  /** where it comes from and where it goes; the same while no update is under way */
  readonly current: Revision
  readonly update: Revision
  readonly nowMs: number
}

/** One thing done to one pod; the verb and the pod are for the event about it. */
export type Step = {
  readonly verb: 'create' | 'delete' | 'update'
  readonly pod: string
  readonly acts: readonly Act[]
}

export type StatefulSetPlan = { readonly steps: readonly Step[]; readonly againAfterMs?: number }

type Place = { readonly ordinal: number; readonly pod: Stored<Pod> | undefined }

export function planStatefulSet(state: StatefulSetState): StatefulSetPlan {
  const { set, pods, nowMs } = state
  const again = againAfter(set, pods, nowMs)
  if (set.metadata.deletionTimestamp !== undefined) return { steps: [] }
  const numbered = pods.flatMap((pod) => {
    const ordinal = ordinalOf(set, pod)
    return ordinal === undefined ? [] : [{ ordinal, pod }]
  })
  const byOrdinal = new Map(numbered.map(({ ordinal, pod }) => [ordinal, pod]))
  const wanted = Array.from({ length: replicasOf(set) }, (_, i): Place => {
    const ordinal = startOf(set) + i
    return { ordinal, pod: byOrdinal.get(ordinal) }
  })
  const condemned = numbered.filter(({ ordinal }) => !isInRange(set, ordinal)).sort((a, b) => b.ordinal - a.ordinal)
  return { steps: stepsOf(state, wanted, condemned), ...(again === undefined ? {} : { againAfterMs: again }) }
}

/** In order, each waits for the one before it; in parallel they do not. Scaling goes before updating. */
function stepsOf(
  state: StatefulSetState,
  wanted: readonly Place[],
  condemned: readonly { ordinal: number; pod: Stored<Pod> }[],
) {
  const isParallel = state.set.spec.podManagementPolicy === 'Parallel'
  const steps: Step[] = []
  for (const place of wanted) {
    const { step, blocks } = planReplica(state, place)
    if (step !== undefined) steps.push(step)
    if (blocks && !isParallel) return steps
  }
  const unwell = firstUnwell(state, wanted, condemned)
  for (const { ordinal, pod } of condemned) {
    const owners = planOwners(state.set, pod, ordinal, state.claimNamed)
    if (owners.length > 0) steps.push({ verb: 'update', pod: pod.metadata.name, acts: owners })
    if (isPodTerminating(pod)) {
      if (isParallel) continue
      return steps
    }
    // One that is not well is waited for before others go, so that no more are lost than need be.
    if (!isParallel && !isAvailable(state, pod) && pod !== unwell) return steps
    steps.push(deletion(pod))
    if (!isParallel) return steps
  }
  if (steps.some(({ verb }) => verb !== 'update')) return steps
  return [...steps, ...planUpdate(state, wanted)]
}

/** `blocks`: in order, nothing further is done until this pod is available. */
function planReplica(
  state: StatefulSetState,
  { ordinal, pod }: Place,
): { readonly step?: Step; readonly blocks: boolean } {
  const { set, claimNamed } = state
  if (pod === undefined) {
    if (hasGoingClaim(set, ordinal, claimNamed)) return { blocks: true }
    const { name, template } = revisionFor(state, ordinal)
    const object = podOf(set, ordinal, template, name)
    const acts: Act[] = [...planClaims(set, ordinal, claimNamed), { kind: 'create', resource: podResource, object }]
    return { step: { verb: 'create', pod: `${set.metadata.name}-${ordinal}`, acts }, blocks: true }
  }
  if (isPodTerminal(pod)) return isPodTerminating(pod) ? { blocks: true } : { step: deletion(pod), blocks: true }
  if (isPodTerminating(pod)) return { blocks: true }
  const acts: Act[] = []
  if (pod.status?.phase === 'Pending') acts.push(...planClaims(set, ordinal, claimNamed))
  const blocks = !isAvailable(state, pod)
  if (!blocks) acts.push(...planIdentity(pod, ordinal), ...planOwners(set, pod, ordinal, claimNamed))
  return acts.length === 0 ? { blocks } : { step: { verb: 'update', pod: pod.metadata.name, acts }, blocks }
}

function planIdentity(pod: Stored<Pod>, ordinal: number): readonly Act[] {
  const labels = identityLabels(pod.metadata.name, ordinal)
  const isRight = Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value)
  return isRight ? [] : [patchOf(podResource, pod, { metadata: { labels } })]
}

function deletion(pod: Stored<Pod>): Step {
  return {
    verb: 'delete',
    pod: pod.metadata.name,
    acts: [{ kind: 'delete', resource: podResource, target: targetOf(pod) }],
  }
}

/** Pods below the partition, or that the update has not reached, come back as they were. */
function revisionFor({ set, current, update }: StatefulSetState, ordinal: number): Revision {
  const { updateStrategy } = set.spec
  const { partition } = updateStrategy?.rollingUpdate ?? {}
  const isRolling = (updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
  const kept =
    updateStrategy?.rollingUpdate === undefined
      ? isRolling
        ? (set.status?.currentReplicas ?? 0)
        : 0
      : (partition ?? 0)
  return ordinal < startOf(set) + kept ? current : update
}

function isAvailable({ set, nowMs }: StatefulSetState, pod: Stored<Pod>): boolean {
  return isRunningAndReady(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)
}

const isUnwell = (state: StatefulSetState, pod: Stored<Pod> | undefined): boolean =>
  pod === undefined || !isAvailable(state, pod) || isPodTerminating(pod)

function firstUnwell(
  state: StatefulSetState,
  wanted: readonly Place[],
  condemned: readonly { readonly pod: Stored<Pod> }[],
): Stored<Pod> | undefined {
  const first = wanted.find(({ pod }) => isUnwell(state, pod))
  return first === undefined ? condemned.findLast(({ pod }) => isUnwell(state, pod))?.pod : first.pod
}

/** From the highest number down to the partition, as many at a time as may be unavailable. */
function planUpdate(state: StatefulSetState, wanted: readonly Place[]): readonly Step[] {
  const { set, update } = state
  const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {}
  if (type !== 'RollingUpdate') return []
  const most = Math.max(1, scaledCount(rollingUpdate?.maxUnavailable ?? 1, replicasOf(set), 'down') ?? 1)
  const missing = wanted.filter(({ pod }) => isUnwell(state, pod)).length
  const candidates = wanted
    .slice(rollingUpdate?.partition ?? 0)
    .reverse()
    .flatMap(({ pod }) => (pod !== undefined && revisionOf(pod) !== update.name && !isPodTerminating(pod) ? [pod] : []))
  // A pod of the old revision that is not well stands in nobody's way: it may go though others are missing.
  const [broken] = candidates.filter((pod) => isUnwell(state, pod))
  if (missing >= most) return broken !== undefined && missing === 1 && most === 1 ? [deletion(broken)] : []
  return candidates.slice(0, most - missing).map(deletion)
}

function againAfter(set: StatefulSet, pods: readonly Stored<Pod>[], nowMs: number): number | undefined {
  const waits = pods
    .map((pod) => podAvailableInMs(pod, set.spec?.minReadySeconds ?? 0, nowMs) ?? 0)
    .filter((ms) => ms > 0)
  return waits.length === 0 ? undefined : Math.min(...waits)
}

export function stepEvent(set: Stored<StatefulSet>, { verb, pod }: Step, error?: string): Act {
  const words = `${verb} Pod ${pod} in StatefulSet ${set.metadata.name}`
  const title = `${verb[0]!.toUpperCase()}${verb.slice(1)}`
  return error === undefined
    ? eventAbout(statefulSets, set, 'Normal', `Successful${title}`, `${words} successful`)
    : eventAbout(statefulSets, set, 'Warning', `Failed${title}`, `${words} failed error: ${error}`)
}

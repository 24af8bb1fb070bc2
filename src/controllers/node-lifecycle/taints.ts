// The taints that follow from a node's conditions.

import type { Node, Taint } from '#api/core.ts'
import { sameTaint } from '#api/taint.ts'
import { formatTime } from '#api/time.ts'

const notReady = 'node.kubernetes.io/not-ready'
const unreachable = 'node.kubernetes.io/unreachable'
const unschedulable = 'node.kubernetes.io/unschedulable'

/** Condition, status and the taint that goes with it. */
const byCondition: readonly (readonly [string, string, string])[] = [
  ['Ready', 'False', notReady],
  ['Ready', 'Unknown', unreachable],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
]
const ofSchedule = new Set([unschedulable, ...byCondition.map(([, , key]) => key)])

/**
 * The node's taints as they should be: NoSchedule for each bad condition and for a cordoned node, NoExecute while it
 * is not ready or does not answer. With `evicts` false (no node answers: the fault is likely ours) there is no
 * NoExecute. Other taints stay. The same list where nothing changes.
 */
export function taintsOf(node: Node, evicts: boolean, nowMs: number): readonly Taint[] {
  const before = node.spec?.taints ?? []
  const conditions = node.status?.conditions ?? []
  const keys = byCondition
    .filter(([type, status]) => conditions.some((condition) => condition.type === type && condition.status === status))
    .map(([, , key]) => key)
  const wanted: Taint[] = keys.map((key) => ({ key, effect: 'NoSchedule' }))
  if (node.spec?.unschedulable === true) wanted.push({ key: unschedulable, effect: 'NoSchedule' })
  for (const key of [notReady, unreachable]) if (evicts && keys.includes(key)) wanted.push({ key, effect: 'NoExecute' })

  const isOurs = ({ key, effect }: Taint) =>
    (effect === 'NoSchedule' && ofSchedule.has(key)) ||
    (effect === 'NoExecute' && (key === notReady || key === unreachable))
  const kept = before.filter((taint) => !isOurs(taint) || wanted.some((one) => sameTaint(one, taint)))
  const added = wanted.filter((taint) => !before.some((one) => sameTaint(one, taint)))
  if (added.length === 0 && kept.length === before.length) return before
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: formatTime(nowMs) }))]
}

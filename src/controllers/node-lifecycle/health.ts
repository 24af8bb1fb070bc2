// Whether a node still speaks: its lease or its status must be renewed within the grace period.

import { type Node, type NodeCondition } from '#api/core.ts'
import type { Lease } from '#api/coordination.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'

export type Grace = {
  /** for a node that has reported before */
  readonly monitorMs: number
  /** for one that never has */
  readonly startupMs: number
}

/** What was last heard of a node, and when it was noticed here: the clocks of nodes are not trusted. */
export type Heard = {
  readonly uid: string
  readonly heartbeat: string | undefined
  readonly renewal: string | undefined
  readonly atMs: number
}

export const nodeCondition = (node: Node, type: string): NodeCondition | undefined =>
  node.status?.conditions?.find((condition) => condition.type === type)

/** Whether the kubelet says that the node is fine; a node that says nothing is not known to be. */
export const isNodeReady = (node: Node): boolean => nodeCondition(node, 'Ready')?.status === 'True'

/** Takes notice of a node and its lease. */
export function hear(last: Heard | undefined, node: Stored<Node>, lease: Lease | undefined, nowMs: number): Heard {
  const { uid } = node.metadata
  const heartbeat = nodeCondition(node, 'Ready')?.lastHeartbeatTime
  const renewal = lease?.spec?.renewTime
  if (last === undefined || last.uid !== uid) {
    // A node that has never reported is measured from its creation, any other from now on.
    const atMs = heartbeat === undefined && renewal === undefined ? Date.parse(node.metadata.creationTimestamp) : nowMs
    return { uid, heartbeat, renewal, atMs }
  }
  const isNews = heartbeat !== last.heartbeat || (renewal !== undefined && renewal > (last.renewal ?? ''))
  return isNews ? { uid, heartbeat, renewal, atMs: nowMs } : last
}

/** How long the node may stay silent from now on; 0 or less: it has been silent for too long. */
export function patienceMs(node: Node, heard: Heard, grace: Grace, nowMs: number): number {
  const allowed = nodeCondition(node, 'Ready') === undefined ? grace.startupMs : grace.monitorMs
  return heard.atMs + allowed - nowMs
}

/** The conditions that only the kubelet can know. */
const reported = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']

/** The conditions of a node that has been silent for too long: unknown. The same list where they are already. */
export function silentConditions(node: Stored<Node>, nowMs: number): readonly NodeCondition[] {
  const before = node.status?.conditions ?? []
  const lastTransitionTime = formatTime(nowMs)
  const after = before.map((condition) =>
    reported.includes(condition.type) && condition.status !== 'Unknown'
      ? {
          ...condition,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime,
        }
      : condition,
  )
  const missing = reported.filter((type) => !before.some((condition) => condition.type === type))
  const never = missing.map((type) => ({
    type,
    status: 'Unknown',
    reason: 'NodeStatusNeverUpdated',
    message: 'Kubelet never posted node status.',
    lastHeartbeatTime: node.metadata.creationTimestamp,
    lastTransitionTime,
  }))
  return never.length === 0 && after.every((condition, i) => condition === before[i]) ? before : [...after, ...never]
}

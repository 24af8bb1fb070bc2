// What follows from the health of one node: its conditions, its taints, and that its pods no longer count as ready, so
// that they leave the endpoints of their Services.

import { type Node, type Pod, nodes as nodeResource, pods as podResource } from '#api/core.ts'
import { podCondition } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import {
  type Grace,
  type Heard,
  isNodeReady,
  nodeCondition,
  patienceMs,
  silentConditions,
} from '#controllers/node-lifecycle/health.ts'
import { taintsOf } from '#controllers/node-lifecycle/taints.ts'
import { equalJson } from '#lib/equal.ts'

export type NodeState = {
  readonly node: Stored<Node>
  readonly heard: Heard
  /** all nodes of the cluster, with what was last heard of them */
  readonly nodes: Iterable<readonly [node: Stored<Node>, heard: Heard | undefined]>
  /** those bound to this node */
  readonly pods: Iterable<Stored<Pod>>
  readonly grace: Grace
  readonly nowMs: number
}

export type NodePlan = {
  /** to be done first, one after the other */
  readonly acts: readonly Act[]
  /** then these, in any order: they do not depend on each other */
  readonly podActs: readonly Act[]
  /** when the node's silence will have lasted too long */
  readonly againAfterMs?: number
}

export function planNode(state: NodeState): NodePlan {
  const { node, heard, grace, nowMs } = state
  const patience = patienceMs(node, heard, grace, nowMs)
  const before = node.status?.conditions ?? []
  const conditions = patience > 0 ? before : silentConditions(node, nowMs)
  const now: Stored<Node> = conditions === before ? node : { ...node, status: { ...node.status, conditions } }
  const acts: Act[] = []
  if (now !== node) {
    acts.push(patchOf(nodeResource, node, { status: { conditions } }, 'status'))
    if (isNodeReady(node)) {
      const { name } = node.metadata
      acts.push(eventAbout(nodeResource, node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`))
    }
  }
  const taints = taintsOf(now, someNodeAnswers(state, now), nowMs)
  if (!equalJson(taints, node.spec.taints))
    acts.push(patchOf(nodeResource, node, { spec: { taints: taints.length === 0 ? null : taints } }))
  const isLost = nodeCondition(now, 'Ready')?.status === 'Unknown'
  return {
    acts,
    podActs: isLost ? [...state.pods].flatMap((pod) => planNotReady(pod, nowMs)) : [],
    ...(patience > 0 ? { againAfterMs: patience } : {}),
  }
}

/** Where no node answers, the fault is likely ours. One whose silence is about to be noticed does not answer either. */
function someNodeAnswers({ nodes, grace, nowMs }: NodeState, now: Stored<Node>): boolean {
  for (const [node, heard] of nodes) {
    const current = node.metadata.uid === now.metadata.uid ? now : node
    const isSilent = heard !== undefined && patienceMs(current, heard, grace, nowMs) <= 0
    if (isNodeReady(current) && !isSilent) return true
  }
  return false
}

function planNotReady(pod: Stored<Pod>, nowMs: number): readonly Act[] {
  if (podCondition(pod, 'Ready')?.status !== 'True') return []
  const conditions = (pod.status?.conditions ?? []).map((condition) =>
    condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: formatTime(nowMs) } : condition,
  )
  return [
    patchOf(podResource, pod, { status: { conditions } }, 'status'),
    eventAbout(podResource, pod, 'Warning', 'NodeNotReady', 'Node is not ready'),
  ]
}

// On which nodes a DaemonSet's pod runs, and the pod that is made for a node.

import { type DaemonSet, daemonSets } from '#api/apps.ts'
import type { Node, NodeSelectorTerm, Pod, PodTemplateSpec, Toleration } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { isTolerated } from '#api/taint.ts'
import { podFromTemplate } from '#controllers/pod-from-template.ts'
import { revisionLabel } from '#controllers/revision-history.ts'
import { matchesNode } from '#controllers/scheduler/node-affinity.ts'
import { viewOf } from '#controllers/scheduler/view.ts'

const prefix = 'node.kubernetes.io/'
const always: readonly Toleration[] = [
  { key: `${prefix}not-ready`, operator: 'Exists', effect: 'NoExecute' },
  { key: `${prefix}unreachable`, operator: 'Exists', effect: 'NoExecute' },
  ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map((name) => ({
    key: `${prefix}${name}`,
    operator: 'Exists',
    effect: 'NoSchedule',
  })),
]
const withHostNetwork: Toleration = { key: `${prefix}network-unavailable`, operator: 'Exists', effect: 'NoSchedule' }

/** What a daemon puts up with beside what its template says: it belongs to the node, whatever state that is in. */
export function tolerationsOf({ spec }: PodTemplateSpec): readonly Toleration[] {
  const own = spec?.tolerations ?? []
  const added = spec?.hostNetwork ? [...always, withHostNetwork] : always
  const isOwn = ({ key, effect }: Toleration) =>
    own.some(
      (one) =>
        one.key === key && one.effect === effect && one.operator === 'Exists' && one.tolerationSeconds === undefined,
    )
  return [...own, ...added.filter((one) => !isOwn(one))]
}

export type OnNode = 'runs' | 'stays' | 'goes'

/** Whether the pod shall run on a node; `stays`: none is put there, but one that is there may stay. */
export function placeOn(set: Stored<DaemonSet>, node: Stored<Node>): OnNode {
  const { template } = set.spec
  const { nodeName, nodeSelector, affinity } = template.spec ?? {}
  if (nodeName && nodeName !== node.metadata.name) return 'goes'
  const wish = { spec: { containers: [], ...(nodeSelector && { nodeSelector }), ...(affinity && { affinity }) } }
  if (!matchesNode(wish, viewOf(node, []))) return 'goes'
  const tolerations = tolerationsOf(template)
  const taints = (node.spec.taints ?? []).filter((taint) => !isTolerated(taint, tolerations))
  if (taints.some(({ effect }) => effect === 'NoExecute')) return 'goes'
  return taints.some(({ effect }) => effect === 'NoSchedule') ? 'stays' : 'runs'
}

/** A pod that can only be scheduled to `node`. */
export function daemonPod(set: Stored<DaemonSet>, node: string, hash: string): Pod {
  const { template } = set.spec
  const pod = podFromTemplate(daemonSets, set, template)
  const { affinity } = template.spec ?? {}
  const term: NodeSelectorTerm = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }
  const nodeAffinity = {
    ...affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
  }
  const generation = set.metadata.annotations?.['deprecated.daemonset.template.generation']
  const labels = {
    ...pod.metadata?.labels,
    [revisionLabel]: hash,
    ...(generation === undefined ? {} : { 'pod-template-generation': generation }),
  }
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: { ...pod.spec!, affinity: { ...affinity, nodeAffinity }, tolerations: tolerationsOf(template) },
  }
}

/** The node that a daemon's pod is on or is meant for. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return terms?.[0]?.matchFields?.find(({ key }) => key === 'metadata.name')?.values?.[0]
}

// Nodes.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text, wide } from '#apiserver/kinds/cells.ts'
import { proxyToNode } from '#apiserver/kinds/proxied.ts'
import { type Node, nodes } from '#api/core.ts'
import { validateNode, validateNodeStatus } from '#api/node/validate.ts'

export const nodeKind: Kind<Node> = {
  resource: nodes,
  type: 'core.Node',
  singular: 'node',
  shortNames: ['no'],
  columns: [
    nameColumn,
    text('Status'),
    text('Roles'),
    ageColumn,
    text('Version'),
    wide('Internal-IP'),
    wide('External-IP'),
    wide('OS-Image'),
    wide('Kernel-Version'),
    wide('Container-Runtime'),
  ],
  row: (node, nowMs) => {
    const info = node.status?.nodeInfo
    const kernel = info?.kernelVersion || '<unknown>'
    return [
      nameOf(node),
      statusText(node),
      rolesOf(node).join(',') || '<none>',
      age(node, nowMs),
      info?.kubeletVersion ?? '',
      addressOf(node, 'InternalIP'),
      addressOf(node, 'ExternalIP'),
      info?.osImage || '<unknown>',
      info?.architecture ? `${kernel} (${info.architecture})` : kernel,
      info?.containerRuntimeVersion || '<unknown>',
    ]
  },
  default: alignPodCidrs,
  prepareCreate: withNotReady,
  prepareUpdate: (node, old) => ({ ...node, ...(old.status ? { status: old.status } : {}) }),
  validate: validateNode,
  status: { validate: (node) => validateNodeStatus(node) },
  proxy: proxyToNode,
  fields: (node) => ({ 'spec.unschedulable': `${node.spec?.unschedulable ?? false}` }),
}

/** A new node takes no pods until the controller of nodes has seen it ready (admission plug-in TaintNodesByCondition). */
function withNotReady(node: Node): Node {
  const taints = node.spec?.taints ?? []
  const key = 'node.kubernetes.io/not-ready'
  if (taints.some((taint) => taint.key === key && taint.effect === 'NoSchedule')) return node
  return { ...node, spec: { ...node.spec, taints: [...taints, { key, effect: 'NoSchedule' }] } }
}

/** podCIDR is the first of podCIDRs, and holds where they differ; what can be allocated is what there is. */
function alignPodCidrs(node: Node): Node {
  const { podCIDR: first, podCIDRs: all = [] } = node.spec ?? {}
  const cidrs = first && all[0] !== first ? [first] : all
  const spec = cidrs[0] ? { ...node.spec, podCIDR: cidrs[0], podCIDRs: cidrs } : { ...node.spec }
  const { capacity, allocatable } = node.status ?? {}
  const status = capacity && !allocatable ? { ...node.status, allocatable: capacity } : node.status
  return { ...node, spec, ...(status ? { status } : {}) }
}

function statusText(node: Node): string {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status
  const health = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady'
  return node.spec?.unschedulable ? `${health},SchedulingDisabled` : health
}

const rolePrefix = 'node-role.kubernetes.io/'

function rolesOf(node: Node): string[] {
  const roles = Object.entries(node.metadata?.labels ?? {}).map(([key, value]) =>
    key.startsWith(rolePrefix) ? key.slice(rolePrefix.length) : key === 'kubernetes.io/role' ? value : '',
  )
  return [...new Set(roles.filter((role) => role !== ''))].sort()
}

function addressOf(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? '<none>'
}

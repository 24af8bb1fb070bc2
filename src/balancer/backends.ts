// Which nodes a load balancer sends to, as Kubernetes 1.30 and later decide it (KEP-3458): readiness, cordons and roles
// do not matter, since the balancer's own health checks tell what works. Upstream source:
// k8s.io/cloud-provider/controllers/service/controller.go.

import type { Node } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'

export const exclusionLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'
const deletionTaint = 'ToBeDeletedByClusterAutoscaler'

/** Why the node is no back end, in words for people; undefined where it is one. */
export function whyNoBackend({ metadata, spec }: Stored<Node>): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'the node is being deleted'
  const label = metadata.labels?.[exclusionLabel]
  if (label !== undefined && !isFalse(label)) return `label ${exclusionLabel}`
  if (spec.taints?.some(({ key }) => key === deletionTaint)) return `taint ${deletionTaint}`
  return undefined
}

export const isBackend = (node: Stored<Node>): boolean => whyNoBackend(node) === undefined

/** A value that is no truth value, the empty one too, excludes the node. */
const isFalse = (label: string): boolean => ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(label)

/** The node's address that other machines use. */
export function nodeIp({ status }: Stored<Node>, family: 'IPv4' | 'IPv6'): string | undefined {
  return status?.addresses?.find(
    ({ type, address }) => type === 'InternalIP' && address.includes(':') === (family === 'IPv6'),
  )?.address
}

// What has to happen to a Service's load balancer, and the words that Kubernetes' service controller says with it
// (k8s.io/cloud-provider/controllers/service/controller.go). Pure: the controller does it and asks again.

import { type LoadBalancerIngress, type Service, services } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import { equalJson } from '#lib/equal.ts'

/** Keeps a Service until its load balancer is gone. */
export const cleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup'

/** What this process has made for a Service. */
export type Made = {
  /** of the Service, as `fingerprintOf` has it */
  readonly fingerprint: string
  /** names of the back ends, sorted */
  readonly nodes: readonly string[]
}

export type Step =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'delete'; readonly why: 'deleted' | 'not wanted' }
  | { readonly kind: 'ensure' }
  | { readonly kind: 'update' }

/** `isServed`: by the provider that asks; `nodes`: names of all back ends, sorted. */
export function planStep(
  service: Stored<Service>,
  made: Made | undefined,
  nodes: readonly string[],
  isServed: boolean,
): Step {
  const hasOurs = service.metadata.finalizers?.includes(cleanupFinalizer) ?? false
  if (!isServed) return { kind: 'nothing' }
  if (service.metadata.deletionTimestamp !== undefined)
    return hasOurs || made ? { kind: 'delete', why: 'deleted' } : { kind: 'nothing' }
  if (service.spec.type !== 'LoadBalancer')
    return hasOurs || made ? { kind: 'delete', why: 'not wanted' } : { kind: 'nothing' }
  if (made === undefined || !hasOurs || made.fingerprint !== fingerprintOf(service)) return { kind: 'ensure' }
  if ((service.status?.loadBalancer?.ingress ?? []).length === 0) return { kind: 'ensure' }
  return equalJson(made.nodes, nodes) ? { kind: 'nothing' } : { kind: 'update' }
}

/** Everything of a Service that a provider may care about; a change of it makes the load balancer anew. */
export function fingerprintOf({ metadata, spec }: Stored<Service>): string {
  const {
    loadBalancerSourceRanges,
    ports,
    sessionAffinity,
    sessionAffinityConfig,
    loadBalancerIP,
    externalIPs,
    externalTrafficPolicy,
    healthCheckNodePort,
    ipFamilies,
    loadBalancerClass,
  } = spec
  const wantedPorts = ports?.map(({ name, protocol, port, nodePort }) => [name, protocol, port, nodePort])
  return JSON.stringify([
    metadata.uid,
    metadata.annotations,
    loadBalancerSourceRanges,
    wantedPorts,
    [sessionAffinity, sessionAffinityConfig],
    loadBalancerIP,
    externalIPs,
    [externalTrafficPolicy, healthCheckNodePort],
    ipFamilies,
    loadBalancerClass,
  ])
}

type Said = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }
export const said = {
  ensuring: { type: 'Normal', reason: 'EnsuringLoadBalancer', message: 'Ensuring load balancer' },
  ensured: { type: 'Normal', reason: 'EnsuredLoadBalancer', message: 'Ensured load balancer' },
  updated: { type: 'Normal', reason: 'UpdatedLoadBalancer', message: 'Updated load balancer with new hosts' },
  deleting: { type: 'Normal', reason: 'DeletingLoadBalancer', message: 'Deleting load balancer' },
  deleted: { type: 'Normal', reason: 'DeletedLoadBalancer', message: 'Deleted load balancer' },
  noNodes: {
    type: 'Warning',
    reason: 'UnAvailableLoadBalancer',
    message: 'There are no available nodes for LoadBalancer',
  },
  syncFailed: (problem: string): Said => ({
    type: 'Warning',
    reason: 'SyncLoadBalancerFailed',
    message: `Error syncing load balancer: ${problem}`,
  }),
  updateFailed: (problem: string): Said => ({
    type: 'Warning',
    reason: 'UpdateLoadBalancerFailed',
    message: `Error updating load balancer with new hosts: ${problem}`,
  }),
} as const satisfies Record<string, Said | ((problem: string) => Said)>

export const saying = (service: Stored<Service>, { type, reason, message }: Said): Act =>
  eventAbout(services, service, type, reason, message)

// Finalizers are written by way of the status, the only thing of a Service that the controller's role may write.

/** Before the load balancer is made: nothing of it may be forgotten from here on. */
export function addFinalizer(service: Stored<Service>): readonly Act[] {
  const { finalizers = [] } = service.metadata
  if (finalizers.includes(cleanupFinalizer)) return []
  return [patchOf(services, service, { metadata: { finalizers: [...finalizers, cleanupFinalizer] } }, 'status')]
}

/** After it is gone. */
export function removeFinalizer(service: Stored<Service>): readonly Act[] {
  const { finalizers = [] } = service.metadata
  if (!finalizers.includes(cleanupFinalizer)) return []
  const others = finalizers.filter((name) => name !== cleanupFinalizer)
  return [patchOf(services, service, { metadata: { finalizers: others.length > 0 ? others : null } }, 'status')]
}

export function writeIngress(service: Stored<Service>, ingress: readonly LoadBalancerIngress[]): readonly Act[] {
  const old = service.status?.loadBalancer?.ingress ?? []
  if (equalJson(old, ingress)) return []
  return [
    patchOf(
      services,
      service,
      { status: { loadBalancer: { ingress: ingress.length > 0 ? ingress : null } } },
      'status',
    ),
  ]
}

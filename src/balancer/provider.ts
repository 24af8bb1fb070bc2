// What makes load balancers: the contract of Kubernetes' cloud providers (k8s.io/cloud-provider/cloud.go).

import type { LoadBalancerIngress, Node, Service } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'

export type Balancer = { readonly ingress: readonly LoadBalancerIngress[] }

export type Provider = {
  readonly name: string
  /** the loadBalancerClass that it serves */
  readonly class: string
  /** The Service's load balancer; undefined where there is none. */
  get(service: Stored<Service>): Promise<Balancer | undefined>
  /** Makes it, or makes it as the Service now wants it; throws with words for people where it cannot. */
  ensure(service: Stored<Service>, nodes: readonly Stored<Node>[]): Promise<Balancer>
  /** Gives an existing one other back ends. */
  update(service: Stored<Service>, nodes: readonly Stored<Node>[]): Promise<void>
  /** Takes it away; nothing happens where there is none. */
  ensureDeleted(service: Stored<Service>): Promise<void>
}

/** Of a provider that would also serve Services without a class. */
export type Served = { readonly provider: Provider; readonly isDefault: boolean }

/** Whether the Service's load balancer is this provider's. */
export function serves({ provider, isDefault }: Served, { spec }: Stored<Service>): boolean {
  const wanted = spec.loadBalancerClass
  return wanted === undefined ? isDefault : wanted === provider.class
}

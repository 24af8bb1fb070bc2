// The networking group: Ingress, NetworkPolicy, ServiceCIDR.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface Ingress extends Typed<'networking', 'Ingress'> {}
export interface IngressSpec extends Typed<'networking', 'IngressSpec'> {}
export interface IngressRule extends Typed<'networking', 'IngressRule'> {}
export interface IngressBackend extends Typed<'networking', 'IngressBackend'> {}
export interface IngressClass extends Typed<'networking', 'IngressClass'> {}
export interface NetworkPolicy extends Typed<'networking', 'NetworkPolicy'> {}
export interface ServiceCIDR extends Typed<'networking', 'ServiceCIDR'> {}
export interface IPAddress extends Typed<'networking', 'IPAddress'> {}

export const ingresses: Resource<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'ingresses',
  kind: 'Ingress',
  namespaced: true,
}
export const ingressClasses: Resource<IngressClass> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'ingressclasses',
  kind: 'IngressClass',
  namespaced: false,
}
export const networkPolicies: Resource<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
  namespaced: true,
}
export const serviceCidrs: Resource<ServiceCIDR> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  kind: 'ServiceCIDR',
  namespaced: false,
}
export const ipAddresses: Resource<IPAddress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'ipaddresses',
  kind: 'IPAddress',
  namespaced: false,
}

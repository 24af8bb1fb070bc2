// The core group: types and where they live.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface Namespace extends Typed<'core', 'Namespace'> {}
export interface Node extends Typed<'core', 'Node'> {}
export interface NodeSpec extends Typed<'core', 'NodeSpec'> {}
export interface NodeStatus extends Typed<'core', 'NodeStatus'> {}
export interface NodeCondition extends Typed<'core', 'NodeCondition'> {}
export interface NodeAddress extends Typed<'core', 'NodeAddress'> {}
export interface Taint extends Typed<'core', 'Taint'> {}
export interface Toleration extends Typed<'core', 'Toleration'> {}
export interface Pod extends Typed<'core', 'Pod'> {}
export interface PodSpec extends Typed<'core', 'PodSpec'> {}
export interface PodStatus extends Typed<'core', 'PodStatus'> {}
export interface PodCondition extends Typed<'core', 'PodCondition'> {}
export interface PodTemplateSpec extends Typed<'core', 'PodTemplateSpec'> {}
export interface Container extends Typed<'core', 'Container'> {}
export interface ContainerPort extends Typed<'core', 'ContainerPort'> {}
export interface ContainerStatus extends Typed<'core', 'ContainerStatus'> {}
export interface ContainerState extends Typed<'core', 'ContainerState'> {}
export interface EnvVar extends Typed<'core', 'EnvVar'> {}
export interface EnvFromSource extends Typed<'core', 'EnvFromSource'> {}
export interface Probe extends Typed<'core', 'Probe'> {}
export interface Volume extends Typed<'core', 'Volume'> {}
export interface VolumeMount extends Typed<'core', 'VolumeMount'> {}
export interface PodSecurityContext extends Typed<'core', 'PodSecurityContext'> {}
export interface SecurityContext extends Typed<'core', 'SecurityContext'> {}
export interface Affinity extends Typed<'core', 'Affinity'> {}
export interface NodeSelector extends Typed<'core', 'NodeSelector'> {}
export interface NodeSelectorTerm extends Typed<'core', 'NodeSelectorTerm'> {}
export interface Service extends Typed<'core', 'Service'> {}
export interface ServiceSpec extends Typed<'core', 'ServiceSpec'> {}
export interface ServicePort extends Typed<'core', 'ServicePort'> {}
export interface ServiceStatus extends Typed<'core', 'ServiceStatus'> {}
export interface LoadBalancerIngress extends Typed<'core', 'LoadBalancerIngress'> {}
export interface Endpoints extends Typed<'core', 'Endpoints'> {}
export interface EndpointSubset extends Typed<'core', 'EndpointSubset'> {}
export interface EndpointAddress extends Typed<'core', 'EndpointAddress'> {}
export interface ConfigMap extends Typed<'core', 'ConfigMap'> {}
export interface Secret extends Typed<'core', 'Secret'> {}
export interface ServiceAccount extends Typed<'core', 'ServiceAccount'> {}
export interface Event extends Typed<'core', 'Event'> {}
export interface ObjectReference extends Typed<'core', 'ObjectReference'> {}
export interface PersistentVolume extends Typed<'core', 'PersistentVolume'> {}
export interface PersistentVolumeSpec extends Typed<'core', 'PersistentVolumeSpec'> {}
export interface PersistentVolumeClaim extends Typed<'core', 'PersistentVolumeClaim'> {}
export interface PersistentVolumeClaimSpec extends Typed<'core', 'PersistentVolumeClaimSpec'> {}
export interface ReplicationController extends Typed<'core', 'ReplicationController'> {}
export interface Binding extends Typed<'core', 'Binding'> {}

export const namespaces: Resource<Namespace> = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
}
export const nodes: Resource<Node> = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false }
export const pods: Resource<Pod> = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true }
export const replicationControllers: Resource<ReplicationController> = {
  group: '',
  version: 'v1',
  plural: 'replicationcontrollers',
  kind: 'ReplicationController',
  namespaced: true,
}
export const services: Resource<Service> = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  namespaced: true,
}
export const endpoints: Resource<Endpoints> = {
  group: '',
  version: 'v1',
  plural: 'endpoints',
  kind: 'Endpoints',
  namespaced: true,
}
export const configMaps: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
}
export const secrets: Resource<Secret> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
}
export const serviceAccounts: Resource<ServiceAccount> = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
}
export const events: Resource<Event> = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true }
export const persistentVolumes: Resource<PersistentVolume> = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumes',
  kind: 'PersistentVolume',
  namespaced: false,
}
export const persistentVolumeClaims: Resource<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumeclaims',
  kind: 'PersistentVolumeClaim',
  namespaced: true,
}

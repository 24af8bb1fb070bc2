// The apps group: types and where they live.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface Deployment extends Typed<'apps', 'Deployment'> {}
export interface DeploymentSpec extends Typed<'apps', 'DeploymentSpec'> {}
export interface DeploymentStatus extends Typed<'apps', 'DeploymentStatus'> {}
export interface DeploymentCondition extends Typed<'apps', 'DeploymentCondition'> {}
export interface ReplicaSet extends Typed<'apps', 'ReplicaSet'> {}
export interface ReplicaSetSpec extends Typed<'apps', 'ReplicaSetSpec'> {}
export interface ReplicaSetStatus extends Typed<'apps', 'ReplicaSetStatus'> {}
export interface StatefulSet extends Typed<'apps', 'StatefulSet'> {}
export interface StatefulSetSpec extends Typed<'apps', 'StatefulSetSpec'> {}
export interface StatefulSetStatus extends Typed<'apps', 'StatefulSetStatus'> {}
export interface DaemonSet extends Typed<'apps', 'DaemonSet'> {}
export interface DaemonSetSpec extends Typed<'apps', 'DaemonSetSpec'> {}
export interface DaemonSetStatus extends Typed<'apps', 'DaemonSetStatus'> {}
export interface ControllerRevision extends Typed<'apps', 'ControllerRevision'> {}

export const deployments: Resource<Deployment> = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
}
export const replicaSets: Resource<ReplicaSet> = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
}
export const statefulSets: Resource<StatefulSet> = {
  group: 'apps',
  version: 'v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
  namespaced: true,
}
export const daemonSets: Resource<DaemonSet> = {
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  namespaced: true,
}
export const controllerRevisions: Resource<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  plural: 'controllerrevisions',
  kind: 'ControllerRevision',
  namespaced: true,
}

// The RBAC group: roles, and who has them.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface Role extends Typed<'rbac', 'Role'> {}
export interface ClusterRole extends Typed<'rbac', 'ClusterRole'> {}
export interface RoleBinding extends Typed<'rbac', 'RoleBinding'> {}
export interface ClusterRoleBinding extends Typed<'rbac', 'ClusterRoleBinding'> {}
export interface PolicyRule extends Typed<'rbac', 'PolicyRule'> {}
export interface Subject extends Typed<'rbac', 'Subject'> {}

const group = 'rbac.authorization.k8s.io'

export const roles: Resource<Role> = { group, version: 'v1', plural: 'roles', kind: 'Role', namespaced: true }
export const clusterRoles: Resource<ClusterRole> = {
  group,
  version: 'v1',
  plural: 'clusterroles',
  kind: 'ClusterRole',
  namespaced: false,
}
export const roleBindings: Resource<RoleBinding> = {
  group,
  version: 'v1',
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
}
export const clusterRoleBindings: Resource<ClusterRoleBinding> = {
  group,
  version: 'v1',
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
}

// Roles, and who has them.

import type { Column, Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text, wide } from '#apiserver/kinds/cells.ts'
import { pathSegment } from '#api/names.ts'
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
  type Subject,
} from '#api/rbac.ts'
import { defaultBinding, validateBinding, validateClusterRole, validateRules } from '#api/rbac/validate.ts'

const name = (value: string): string | undefined => pathSegment(value)[0]
const roleColumns: readonly Column[] = [nameColumn, { name: 'Created At', type: 'date' }]

export const roleKind: Kind<Role> = {
  resource: roles,
  type: 'rbac.Role',
  singular: 'role',
  columns: roleColumns,
  row: (role) => [nameOf(role), role.metadata?.creationTimestamp ?? null],
  name,
  validate: (role) => validateRules(role.rules, true),
  createOnUpdate: true,
}

export const clusterRoleKind: Kind<ClusterRole> = {
  resource: clusterRoles,
  type: 'rbac.ClusterRole',
  singular: 'clusterrole',
  columns: roleColumns,
  row: (role) => [nameOf(role), role.metadata?.creationTimestamp ?? null],
  name,
  validate: validateClusterRole,
  createOnUpdate: true,
}

const bindingColumns: readonly Column[] = [
  nameColumn,
  text('Role'),
  ageColumn,
  wide('Users'),
  wide('Groups'),
  wide('ServiceAccounts'),
]

function bindingRow(binding: RoleBinding | ClusterRoleBinding, nowMs: number): string[] {
  const { roleRef, subjects = [] } = binding
  const namesOf = (kind: string, show: (subject: Subject) => string) =>
    subjects
      .filter((subject) => subject.kind === kind)
      .map(show)
      .join(', ')
  return [
    nameOf(binding),
    `${roleRef?.kind}/${roleRef?.name}`,
    age(binding, nowMs),
    namesOf('User', (subject) => subject.name),
    namesOf('Group', (subject) => subject.name),
    namesOf('ServiceAccount', (subject) => (subject.namespace ? `${subject.namespace}/${subject.name}` : subject.name)),
  ]
}

export const roleBindingKind: Kind<RoleBinding> = {
  resource: roleBindings,
  type: 'rbac.RoleBinding',
  singular: 'rolebinding',
  columns: bindingColumns,
  row: bindingRow,
  name,
  default: defaultBinding,
  validate: (binding, old) => validateBinding(binding, old, true),
  createOnUpdate: true,
}

export const clusterRoleBindingKind: Kind<ClusterRoleBinding> = {
  resource: clusterRoleBindings,
  type: 'rbac.ClusterRoleBinding',
  singular: 'clusterrolebinding',
  columns: bindingColumns,
  row: bindingRow,
  name,
  default: defaultBinding,
  validate: (binding, old) => validateBinding(binding, old, false),
  createOnUpdate: true,
}

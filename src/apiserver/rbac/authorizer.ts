// RBAC: what roles allow, read from the objects that are there now.

import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
} from '#api/rbac.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Authorizer } from '#apiserver/auth/authorizer.ts'
import { follow } from '#apiserver/cache/follow.ts'
import type { ServedResources } from '#apiserver/engine/served.ts'
import type { RoleIndex } from '#apiserver/rbac/role-index.ts'
import { allows } from '#apiserver/rbac/rule.ts'

export function rbacAuthorizer(index: RoleIndex): Authorizer {
  return {
    decide(attributes) {
      const namespace = attributes.kind === 'resource' ? attributes.namespace : ''
      const missing: string[] = []
      for (const { rules, source } of index.grants(attributes.user, namespace)) {
        if (rules === undefined) missing.push(source)
        else if (rules.some((rule) => allows(rule, attributes)))
          return { allowed: true, reason: `RBAC: allowed by ${source}` }
      }
      return { allowed: false, reason: missing.length === 0 ? '' : `RBAC: ${joined(missing)}` }
    },
    rulesOf: (user, namespace) => ({
      rules: [...index.grants(user, namespace)].flatMap(({ rules = [] }) => rules),
      problem: '',
    }),
  }
}

const joined = (texts: readonly string[]) => (texts.length === 1 ? texts[0]! : `[${[...new Set(texts)].join(', ')}]`)

/** Resolves when the index shows all that is stored; it follows from then on, until the answer is called. */
export async function followRoles(served: ServedResources, index: RoleIndex): Promise<() => void> {
  const of = <T extends ApiObject>(
    resource: Resource<T>,
    set: (key: string, object: T | undefined) => void,
  ): Promise<() => void> => follow<T>(served.of(resource).cache, { set, gone: (key) => set(key, undefined) })
  const rulesOf = (role: Role | ClusterRole | undefined) => role && (role.rules ?? [])
  const ends = await Promise.all([
    of<ClusterRole>(clusterRoles, (key, role) => index.setRole(key, rulesOf(role))),
    of<Role>(roles, (key, role) => index.setRole(key, rulesOf(role))),
    of<ClusterRoleBinding>(clusterRoleBindings, (key, binding) => index.setBinding(key, binding)),
    of<RoleBinding>(roleBindings, (key, binding) => index.setBinding(key, binding)),
  ])
  return () => ends.forEach((end) => end())
}

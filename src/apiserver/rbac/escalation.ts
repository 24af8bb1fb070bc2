// Nobody gives what they do not have: roles may say, and bindings may give, only what their writer may do, unless the
// writer may `escalate` or `bind` (pkg/registry/rbac).

import { quote } from '#api/go-text.ts'
import { type ClusterRole, clusterRoles, type Role, type RoleBinding } from '#api/rbac.ts'
import { forbidden, notFound } from '#api/status.ts'
import type { ApiObject, Status } from '#api/meta.ts'
import { type Authorizer, isPrivileged } from '#apiserver/auth/authorizer.ts'
import type { Guard, GuardRequest } from '#apiserver/engine/guard.ts'
import type { RoleIndex } from '#apiserver/rbac/role-index.ts'
import { describeRules, quoteAll, type Rule, uncovered } from '#apiserver/rbac/rule.ts'
import { equalJson } from '#lib/equal.ts'

const group = clusterRoles.group
const everything: readonly Rule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

export function escalationGuard(authorizer: Authorizer, index: RoleIndex): Guard {
  return async (request) => {
    const { operation, served, user, object, old } = request
    if (served.group !== group || operation === 'delete' || object === undefined) return undefined
    if (isPrivileged(user) || isLettingGo(object, old)) return undefined
    switch (served.plural) {
      case 'roles':
      case 'clusterroles':
        return guardRole(authorizer, index, request, object as ClusterRole, old as ClusterRole | undefined)
      case 'rolebindings':
      case 'clusterrolebindings':
        return guardBinding(authorizer, index, request, object as RoleBinding)
      default:
        return undefined
    }
  }
}

/** Garbage collection must be able to end a role that it may not give. */
function isLettingGo(object: ApiObject, old: ApiObject | undefined): boolean {
  if (old === undefined) return false
  const kept = ({ metadata, ...rest }: ApiObject) => {
    const { ownerReferences: _o, finalizers: _f, managedFields: _m, resourceVersion: _r, ...other } = metadata ?? {}
    return { ...rest, metadata: other }
  }
  return equalJson(kept(object), kept(old))
}

function guardRole(
  authorizer: Authorizer,
  index: RoleIndex,
  request: GuardRequest,
  role: ClusterRole & Role,
  old: ClusterRole | undefined,
): Status | undefined {
  if (may(authorizer, request, 'escalate', request.served.plural, request.operation === 'create' ? '' : request.name))
    return undefined
  const why = escalation(index, request, role.rules ?? [])
  if (why !== undefined) return refusal(request, why)
  const isAggregated = [role, old].some((one) => one?.aggregationRule?.clusterRoleSelectors?.length)
  return isAggregated && escalation(index, request, everything) !== undefined
    ? refusal(request, 'must have cluster-admin privileges to use the aggregationRule')
    : undefined
}

function guardBinding(
  authorizer: Authorizer,
  index: RoleIndex,
  request: GuardRequest,
  { roleRef }: RoleBinding,
): Status | undefined {
  const { kind, name } = roleRef
  if (kind !== 'Role' && kind !== 'ClusterRole') return undefined
  if (may(authorizer, request, 'bind', kind === 'Role' ? 'roles' : 'clusterroles', name)) return undefined
  const rules = index.rulesOfRole(kind === 'Role' ? `${request.namespace}/${name}` : name)
  if (rules === undefined) return notFound({ group, plural: kind.toLowerCase() }, name)
  const why = escalation(index, request, rules)
  return why === undefined ? undefined : refusal(request, why)
}

function may(authorizer: Authorizer, request: GuardRequest, verb: string, resource: string, name: string): boolean {
  const { user, namespace } = request
  const about = { kind: 'resource', group, version: '*', subresource: '', fields: [] } as const
  return authorizer.decide({ ...about, user, verb, resource, namespace, name }).allowed
}

/** Undefined: the user has all of it. */
function escalation(index: RoleIndex, { user, namespace }: GuardRequest, rules: readonly Rule[]): string | undefined {
  const own = [...index.grants(user, namespace)].flatMap((grant) => grant.rules ?? [])
  const missing = uncovered(own, rules)
  if (missing.length === 0) return undefined
  const who = `user ${quote(user.name)} (groups=${quoteAll(user.groups)})`
  return `${who} is attempting to grant RBAC permissions not currently held:\n${describeRules(missing).join('\n')}`
}

const refusal = ({ served, object }: GuardRequest, why: string) => forbidden(served, object?.metadata?.name ?? '', why)

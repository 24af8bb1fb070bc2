// The default roles and bindings as objects, and what an existing one lacks of what it should be (component-helpers'
// auth/rbac/reconciliation): rules and subjects are added, never taken away.

import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '#api/rbac.ts'
import { controllerRoles } from '#apiserver/rbac/controller-roles.ts'
import {
  aggregated,
  aggregates,
  defaultBindings,
  defaultRoles,
  namespacedRoles,
} from '#apiserver/rbac/default-roles.ts'
import { uncovered } from '#apiserver/rbac/rule.ts'
import { equalJson } from '#lib/equal.ts'

const group = 'rbac.authorization.k8s.io'
const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate'
const metadata = (name: string, label?: string) => ({
  name,
  labels: {
    'kubernetes.io/bootstrapping': 'rbac-defaults',
    ...(label === undefined ? {} : { [`${group}/${label}`]: 'true' }),
  },
  annotations: { [autoUpdate]: 'true' },
})

/** `get list | core apps | pods deployments | names`, or `get | /healthz`. */
export function parseRule(text: string): PolicyRule {
  const [verbs = [], first = [], resources, names] = text.split(' | ').map((part) => part.split(' '))
  if (resources === undefined) return { verbs, nonResourceURLs: first }
  const apiGroups = first.map((group) => (group === 'core' ? '' : group))
  return { verbs, apiGroups, resources, ...(names === undefined ? {} : { resourceNames: names }) }
}

/** `User:name`, `Group:name`, `ServiceAccount:namespace/name` */
function parseSubject(text: string): Subject {
  const colon = text.indexOf(':')
  const kind = text.slice(0, colon)
  const name = text.slice(colon + 1)
  if (kind !== 'ServiceAccount') return { kind, apiGroup: group, name }
  const [namespace = '', account = ''] = name.split('/')
  return { kind, namespace, name: account }
}

export const defaultClusterRoles = (): ClusterRole[] => [
  ...Object.entries(defaultRoles).map(([name, rules]) => ({
    metadata: metadata(name, aggregated[name]),
    rules: rules.map(parseRule),
  })),
  ...Object.entries(aggregates).map(([name, label]) => ({
    metadata: metadata(name, aggregated[name]),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${group}/${label}`]: 'true' } }] },
    rules: [],
  })),
  ...Object.entries(controllerRoles).map(([name, rules]) => ({
    metadata: metadata(`system:controller:${name}`),
    rules: rules.map(parseRule),
  })),
]

export const defaultClusterRoleBindings = (): ClusterRoleBinding[] => {
  const bind = (role: string, subjects: readonly string[]): ClusterRoleBinding => ({
    metadata: metadata(role),
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
    ...(subjects.length === 0 ? {} : { subjects: subjects.map(parseSubject) }),
  })
  return [
    ...Object.entries(defaultBindings).map(([role, subjects]) => bind(role, subjects)),
    ...Object.keys(controllerRoles).map((name) =>
      bind(`system:controller:${name}`, [`ServiceAccount:kube-system/${name}`]),
    ),
  ]
}

export const defaultNamespacedRoles = (): Role[] =>
  namespacedRoles.map(({ namespace, role, rules }) => ({
    metadata: { ...metadata(role), namespace },
    rules: rules.map(parseRule),
  }))

export const defaultRoleBindings = (): RoleBinding[] =>
  namespacedRoles.map(({ namespace, role, binding = role, subjects }) => ({
    metadata: { ...metadata(binding), namespace },
    roleRef: { apiGroup: group, kind: 'Role', name: role },
    subjects: subjects.map(parseSubject),
  }))

type AnyRole = ClusterRole & Role
type AnyBinding = ClusterRoleBinding & RoleBinding

/** The object itself where it lacks nothing, or where its owner keeps it from being mended. */
export function withMissingRules<T extends AnyRole>(found: T, wanted: T): T {
  if (isKept(found)) return found
  const missing = uncovered(found.rules ?? [], wanted.rules ?? [])
  const selectors = found.aggregationRule?.clusterRoleSelectors ?? []
  const lacking = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(
    (selector) => !selectors.some((own) => equalJson(own, selector)),
  )
  const named = withNames(found, wanted)
  if (missing.length === 0 && lacking.length === 0) return named
  return {
    ...named,
    rules: [...(found.rules ?? []), ...missing],
    ...(lacking.length === 0 ? {} : { aggregationRule: { clusterRoleSelectors: [...selectors, ...lacking] } }),
  }
}

export function withMissingSubjects<T extends AnyBinding>(found: T, wanted: T): T {
  if (isKept(found)) return found
  const subjects = found.subjects ?? []
  const missing = (wanted.subjects ?? []).filter((subject) => !subjects.some((own) => equalJson(own, subject)))
  const named = withNames(found, wanted)
  return missing.length === 0 ? named : { ...named, subjects: [...subjects, ...missing] }
}

const isKept = ({ metadata }: AnyRole | AnyBinding) => metadata?.annotations?.[autoUpdate] === 'false'

/** Labels and annotations that it should have; what it has goes first. */
function withNames<T extends AnyRole | AnyBinding>(found: T, wanted: T): T {
  const labels = { ...wanted.metadata?.labels, ...found.metadata?.labels }
  const annotations = { ...wanted.metadata?.annotations, ...found.metadata?.annotations }
  return { ...found, metadata: { ...found.metadata, labels, annotations } }
}

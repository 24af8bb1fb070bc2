// What the parts of a cluster, users of the default roles and strangers may do with the roles that a cluster begins with.
// The expectations are read from Kubernetes' documentation of its default roles, not from the table.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterRole } from '#api/rbac.ts'
import { attributesOf, refusalOf } from '#apiserver/auth/attributes.ts'
import { unionOf } from '#apiserver/auth/authorizer.ts'
import { targetOf } from '#apiserver/http/target.ts'
import type { User } from '#apiserver/kind.ts'
import { planAggregation } from '#apiserver/rbac/aggregate.ts'
import { rbacAuthorizer } from '#apiserver/rbac/authorizer.ts'
import { defaultClusterRoleBindings, defaultClusterRoles, withMissingRules } from '#apiserver/rbac/default-objects.ts'
import { RoleIndex } from '#apiserver/rbac/role-index.ts'

const everyone = 'system:authenticated'
const account = (namespace: string, name: string): User => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, everyone],
})
const users = {
  admin: { name: 'admin', groups: ['system:masters', everyone] },
  node: { name: 'system:node:n', groups: ['system:nodes', everyone] },
  proxy: { name: 'system:kube-proxy', groups: [everyone] },
  manager: { name: 'system:kube-controller-manager', groups: [everyone] },
  scheduler: { name: 'system:kube-scheduler', groups: [everyone] },
  slices: account('kube-system', 'endpointslice-controller'),
  garbage: account('kube-system', 'generic-garbage-collector'),
  dns: account('kube-system', 'kube-dns'),
  editor: { name: 'eve', groups: [everyone] },
  viewer: { name: 'vic', groups: [everyone] },
  boss: { name: 'bob', groups: [everyone] },
  nobody: { name: 'nobody', groups: [everyone] },
  anonymous: { name: 'system:anonymous', groups: ['system:unauthenticated'] },
} satisfies Record<string, User>
type Name = keyof typeof users
const all = Object.keys(users) as Name[]
const known = all.filter((name) => name !== 'anonymous')

function defaults(): RoleIndex {
  const index = new RoleIndex()
  const roles = defaultClusterRoles()
  for (let round = 0; round < 3; round++)
    for (const [name, rules] of planAggregation(roles)) {
      const at = roles.findIndex(({ metadata }) => metadata?.name === name)
      roles[at] = { ...roles[at]!, rules }
    }
  assert.equal(planAggregation(roles).size, 0, 'aggregation comes to an end')
  for (const role of roles) index.setRole(role.metadata!.name!, role.rules)
  for (const binding of defaultClusterRoleBindings()) index.setBinding(binding.metadata!.name!, binding)
  const given = { boss: 'admin', editor: 'edit', viewer: 'view' } as const
  for (const [who, name] of Object.entries(given))
    index.setBinding(`a/${who}`, {
      metadata: { name: who, namespace: 'a' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'User', name: users[who as Name].name }],
    })
  return index
}

const table: readonly [method: string, url: string, may: readonly Name[]][] = [
  ['GET', '/api/v1/services?watch=1', ['admin', 'proxy', 'manager', 'scheduler', 'slices', 'garbage', 'dns']],
  ['GET', '/apis/discovery.k8s.io/v1/endpointslices', ['admin', 'proxy', 'manager', 'slices', 'garbage']],
  ['POST', '/apis/discovery.k8s.io/v1/namespaces/a/endpointslices', ['admin', 'slices']],
  ['GET', '/api/v1/nodes/n', ['admin', 'proxy', 'scheduler', 'slices', 'garbage']],
  ['GET', '/api/v1/namespaces/a/secrets/s', ['admin', 'manager', 'garbage', 'editor', 'boss']],
  ['GET', '/api/v1/namespaces/b/secrets/s', ['admin', 'manager', 'garbage']],
  ['GET', '/api/v1/namespaces/a/pods/p/log', ['admin', 'garbage', 'editor', 'viewer', 'boss']],
  ['POST', '/api/v1/namespaces/a/pods/p/exec', ['admin', 'editor', 'boss']],
  ['POST', '/api/v1/namespaces/a/pods/p/binding', ['admin', 'scheduler']],
  ['POST', '/api/v1/namespaces/a/pods/p/eviction', ['admin', 'editor', 'boss']],
  ['PUT', '/api/v1/namespaces/a/pods/p/status', ['admin', 'scheduler', 'garbage']],
  ['POST', '/apis/apps/v1/namespaces/a/deployments', ['admin', 'editor', 'boss']],
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/d/scale', ['admin', 'garbage', 'editor', 'boss']],
  ['DELETE', '/apis/ceph.rook.io/v1beta1/namespaces/a/pools/p', ['admin', 'garbage']],
  [
    'POST',
    '/api/v1/namespaces/a/events',
    ['admin', 'proxy', 'manager', 'scheduler', 'slices', 'garbage', 'editor', 'boss'],
  ],
  ['POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings', ['admin', 'boss']],
  ['POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', ['admin']],
  ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', known],
  ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', ['admin', 'manager', 'scheduler']],
  [
    'PUT',
    '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler',
    ['admin', 'scheduler', 'garbage'],
  ],
  ['GET', '/apis', known],
  ['GET', '/openapi/v3/api/v1', known],
  ['GET', '/version', all],
  ['GET', '/healthz', all],
  ['GET', '/healthz/ping', ['admin']],
  ['GET', '/metrics', ['admin']],
]

const decide = (index: RoleIndex, user: User, method: string, url: string) => {
  const [path = '', query] = url.split('?')
  const search = new URLSearchParams(query)
  return unionOf([rbacAuthorizer(index)]).decide(attributesOf(user, targetOf(method, path, search), search))
}

test('who may do what by default', () => {
  const index = defaults()
  for (const [method, url, may] of table)
    assert.deepEqual(
      all.filter((name) => decide(index, users[name], method, url).allowed),
      may,
      `${method} ${url}`,
    )
})

test('why', () => {
  const index = defaults()
  const reason = (name: Name, url: string) => decide(index, users[name], 'GET', url).reason
  assert.equal(reason('admin', '/api/v1/pods'), '')
  assert.equal(
    reason('proxy', '/api/v1/services'),
    'RBAC: allowed by ClusterRoleBinding "system:node-proxier" of ClusterRole "system:node-proxier" to User "system:kube-proxy"',
  )
  assert.equal(
    reason('dns', '/api/v1/services'),
    'RBAC: allowed by ClusterRoleBinding "system:kube-dns" of ClusterRole "system:kube-dns" to ServiceAccount "kube-dns/kube-system"',
  )
  assert.equal(
    reason('viewer', '/api/v1/namespaces/a/pods'),
    'RBAC: allowed by RoleBinding "viewer/a" of ClusterRole "view" to User "vic"',
  )
  index.setRole('view', undefined)
  assert.equal(
    reason('viewer', '/api/v1/namespaces/a/pods'),
    'RBAC: clusterrole.rbac.authorization.k8s.io "view" not found',
  )
})

test('how a refusal reads', () => {
  const message = (method: string, path: string) =>
    refusalOf(attributesOf(users.nobody, targetOf(method, path, new URLSearchParams()), new URLSearchParams())).message
  assert.equal(
    message('DELETE', '/apis/apps/v1/namespaces/a/deployments/d'),
    'deployments.apps "d" is forbidden: User "nobody" cannot delete resource "deployments" in API group "apps" in the namespace "a"',
  )
  assert.equal(
    message('GET', '/api/v1/nodes'),
    'nodes is forbidden: User "nobody" cannot list resource "nodes" in API group "" at the cluster scope',
  )
  assert.equal(
    message('GET', '/api/v1/namespaces/a/pods/p/log'),
    'pods "p" is forbidden: User "nobody" cannot get resource "pods/log" in API group "" in the namespace "a"',
  )
  assert.equal(message('GET', '/metrics'), 'forbidden: User "nobody" cannot get path "/metrics"')
})

test('a role that someone changed gets back what it lacks, and keeps what it has', () => {
  const wanted = defaultClusterRoles().find(({ metadata }) => metadata?.name === 'system:kube-dns')!
  const own = { apiGroups: [''], resources: ['pods'], verbs: ['get'] }
  const less: ClusterRole = {
    ...wanted,
    rules: [own, { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] }],
  }
  const mended = withMissingRules(less, wanted)
  assert.deepEqual(mended.rules, [
    ...less.rules!,
    { apiGroups: [''], resources: ['endpoints'], verbs: ['list'] },
    { apiGroups: [''], resources: ['endpoints'], verbs: ['watch'] },
  ])
  const kept: ClusterRole = {
    ...less,
    metadata: { ...less.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
  }
  assert.equal(withMissingRules(kept, wanted), kept)
})

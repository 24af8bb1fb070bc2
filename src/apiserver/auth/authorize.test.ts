import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { attributesOf, refusalOf } from '#apiserver/auth/attributes.ts'
import { roleAuthorizer } from '#apiserver/auth/authorize.ts'
import { targetOf } from '#apiserver/http/target.ts'
import type { User } from '#apiserver/kind.ts'

const everyone = 'system:authenticated'
const users: Record<string, User> = {
  admin: { name: 'admin', groups: ['system:masters', everyone] },
  node: { name: 'system:node:n', groups: ['system:nodes', everyone] },
  proxy: { name: 'system:kube-proxy', groups: [everyone] },
  controllers: { name: 'system:kube-controller-manager', groups: [everyone] },
  dns: { name: 'system:serviceaccount:kube-system:kube-dns', groups: ['system:serviceaccounts', everyone] },
  nobody: { name: 'nobody', groups: [everyone] },
}
const all = Object.keys(users)

const table: readonly [method: string, url: string, may: readonly string[]][] = [
  ['GET', '/api/v1/services?watch=1', ['admin', 'node', 'proxy', 'controllers', 'dns']],
  ['GET', '/apis/discovery.k8s.io/v1/endpointslices', ['admin', 'node', 'proxy', 'controllers', 'dns']],
  ['GET', '/api/v1/nodes', ['admin', 'node', 'proxy', 'controllers']],
  ['GET', '/api/v1/namespaces/a/secrets', ['admin', 'node', 'controllers']],
  ['PUT', '/api/v1/nodes/n/status', ['admin', 'node', 'controllers']],
  ['PUT', '/api/v1/namespaces/a/pods/p/status', ['admin', 'node', 'controllers']],
  ['POST', '/api/v1/namespaces/a/pods/p/binding', ['admin', 'controllers']],
  ['POST', '/apis/apps/v1/namespaces/a/deployments', ['admin', 'controllers']],
  ['POST', '/api/v1/namespaces/a/events', ['admin', 'node', 'proxy', 'controllers']],
  ['GET', '/api/v1/namespaces/a/pods/p/log', ['admin', 'controllers']],
  ['POST', '/api/v1/namespaces/a/pods/p/exec', ['admin']],
  ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', all],
  ['GET', '/apis', all],
  ['GET', '/openapi/v3/api/v1', all],
  ['GET', '/metrics', ['admin']],
  ['POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', ['admin']],
]

test('who may do what', () => {
  const authorizer = roleAuthorizer()
  for (const [method, url, may] of table) {
    const [path = '', query] = url.split('?')
    const target = targetOf(method, path, new URLSearchParams(query))
    const allowed = all.filter((name) => authorizer.decide(attributesOf(users[name]!, target)).allowed)
    assert.deepEqual(allowed, may, `${method} ${url}`)
  }
})

test('how a refusal reads', () => {
  const message = (method: string, path: string) =>
    refusalOf(attributesOf(users['nobody']!, targetOf(method, path, new URLSearchParams()))).message
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

// What nodes and people of few rights may do, from the request to its answer: authorizers and guards together. The words
// are kube-apiserver's.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject } from '#api/meta.ts'
import { accessOf } from '#apiserver/access.ts'
import { bootstrap } from '#apiserver/bootstrap.ts'
import { tokenSubresource } from '#apiserver/auth/token-request.ts'
import { kinds } from '#apiserver/kinds.ts'
import type { Kind, User } from '#apiserver/kind.ts'
import { createTestServer, type Reply, type TestServer } from '#test/api-server.ts'

const node: User = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }
const ann: User = { name: 'ann', groups: ['system:authenticated'] }

const token = tokenSubresource({ issuer: 'i', audiences: ['i'], uuid: () => 'u', sign: () => 'signed' })
const withTokens = (kind: Kind): Kind =>
  kind.singular === 'serviceaccount' ? { ...kind, subresources: { ...kind.subresources, token } } : kind

async function start(): Promise<TestServer> {
  const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  const access = accessOf(atob)
  const api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }).map(withTokens), access })
  await access.follow(api.engine, (error) => {
    throw error
  })
  const itself = { addresses: ['192.0.2.1'], port: 6443, clusterIp: '10.96.0.1' }
  await bootstrap(api.engine.objects, itself, () => true)
  return api
}

/** Until the followers have seen what was written. */
async function settles(act: () => Promise<Reply>, code: number): Promise<Reply> {
  for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 2))) {
    const reply = await act()
    if (reply.code === code || Date.now() > end) {
      assert.equal(reply.code, code, reply.text)
      return reply
    }
  }
}

async function must(api: TestServer, url: string, body: object): Promise<ApiObject> {
  const reply = await api.request('POST', url, { body })
  assert.equal(reply.code, 201, reply.text)
  return reply.body
}

const podOn = (name: string, nodeName: string, volumes: readonly object[] = []) => ({
  metadata: { name },
  spec: { nodeName, serviceAccountName: 'default', containers: [{ name: 'c', image: 'i' }], volumes },
})

async function startWithNodes(): Promise<TestServer & { readonly uid: string }> {
  const api = await start()
  const { metadata } = await must(api, '/api/v1/nodes', { metadata: { name: 'n1' } })
  await must(api, '/api/v1/nodes', { metadata: { name: 'n2' } })
  await must(api, '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } })
  for (const name of ['mine', 'other']) {
    await must(api, '/api/v1/namespaces/default/secrets', { metadata: { name } })
    await must(api, '/api/v1/namespaces/default/configmaps', { metadata: { name } })
  }
  const pods = '/api/v1/namespaces/default/pods'
  const token = { projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] } }
  await must(
    api,
    pods,
    podOn('mine', 'n1', [
      { name: 's', secret: { secretName: 'mine' } },
      { name: 'c', configMap: { name: 'mine' } },
      { name: 't', ...token },
    ]),
  )
  await must(api, pods, podOn('other', 'n2', [{ name: 's', secret: { secretName: 'other' } }]))
  await settles(() => api.request('GET', '/api/v1/namespaces/default/secrets/mine', { user: node }), 200)
  return Object.assign(api, { uid: metadata?.uid ?? '' })
}

test('a node reads what its pods are made of, and nothing else', async () => {
  await using api = await startWithNodes()
  const table: readonly (readonly [string, string, number])[] = [
    ['GET', '/api/v1/namespaces/default/secrets/other', 403],
    ['GET', '/api/v1/namespaces/default/secrets', 403],
    ['GET', '/api/v1/secrets', 403],
    ['GET', '/api/v1/namespaces/default/configmaps/mine', 200],
    ['GET', '/api/v1/namespaces/default/configmaps/other', 403],
    ['GET', '/api/v1/namespaces/default/serviceaccounts/default', 200],
    ['GET', '/api/v1/namespaces/default/pods/mine', 200],
    ['GET', '/api/v1/namespaces/default/pods/other', 403],
    ['GET', '/api/v1/pods', 403],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1', 200],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2', 403],
    ['GET', '/api/v1/nodes/n1', 200],
    ['GET', '/api/v1/services', 200],
    ['GET', '/apis/storage.k8s.io/v1/csidrivers', 200],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles', 403],
    ['GET', '/apis/apps/v1/deployments', 403],
    ['DELETE', '/api/v1/nodes/n2', 403],
    ['DELETE', '/api/v1/namespaces/default/secrets/mine', 403],
  ]
  for (const [method, url, code] of table)
    assert.equal((await api.request(method, url, { user: node })).code, code, `${method} ${url}`)
})

type Try = readonly [string, string, object, string]
const merge = { 'content-type': 'application/merge-patch+json' }
const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } }

test('a node writes itself and its pods only (NodeRestriction)', async () => {
  await using api = await startWithNodes()
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: api.uid, controller: true }
  const mirrorPod = (change: object, spec: object = {}) => ({
    metadata: { name: 'm', ...mirror, ownerReferences: [owner], ...change },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }], ...spec },
  })
  const pods = '/api/v1/namespaces/default/pods'
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  const accounts = '/api/v1/namespaces/default/serviceaccounts/default/token'
  const mine = (await api.request('GET', `${pods}/mine`)).body.metadata.uid as string
  const other = (await api.request('GET', `${pods}/other`)).body.metadata.uid as string
  const tokenFor = (name: string, uid: string, audience: string) => ({
    spec: { audiences: [audience], boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
  })
  const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
  // In this server the name stands where others have a request.
  const signingRequest = (request: string) => ({
    metadata: { name: 'c' },
    spec: {
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      request: btoa(request),
      usages: ['client auth'],
    },
  })
  const table: readonly Try[] = [
    ['PATCH', '/api/v1/nodes/n1', { metadata: { labels: { a: 'b' } } }, ''],
    ['PATCH', '/api/v1/nodes/n1', { metadata: { labels: { 'node.kubernetes.io/x': 'b' } } }, ''],
    [
      'PATCH',
      '/api/v1/nodes/n1',
      { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'b' } } },
      'is not allowed to modify labels: node-restriction.kubernetes.io/x',
    ],
    [
      'PATCH',
      '/api/v1/nodes/n1',
      { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
      'node "n1" is not allowed to modify taints',
    ],
    ['PATCH', '/api/v1/nodes/n2', { metadata: { labels: { a: 'b' } } }, 'node "n1" is not allowed to modify node "n2"'],
    ['PATCH', '/api/v1/nodes/n2/status', { status: { phase: 'x' } }, 'node "n1" is not allowed to modify node "n2"'],
    ['PATCH', `${pods}/mine/status`, { status: { phase: 'Running' } }, ''],
    [
      'PATCH',
      `${pods}/other/status`,
      { status: { phase: 'Running' } },
      'node "n1" can only update pod status for pods with spec.nodeName set to itself',
    ],
    ['DELETE', `${pods}/other`, {}, 'node "n1" can only delete pods with spec.nodeName set to itself'],
    ['POST', pods, mirrorPod({}), ''],
    [
      'POST',
      pods,
      podOn('x', 'n1'),
      'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    ],
    [
      'POST',
      pods,
      mirrorPod({ name: 'o' }, { nodeName: 'n2' }),
      'node "n1" can only create pods with spec.nodeName set to itself',
    ],
    [
      'POST',
      pods,
      mirrorPod({ name: 'o', ownerReferences: [] }),
      'node "n1" can only create pods with an owner reference set to itself',
    ],
    [
      'POST',
      pods,
      mirrorPod({ name: 'o' }, { volumes: [{ name: 's', secret: { secretName: 'other' } }] }),
      'node "n1" can not create pods that reference secrets',
    ],
    ['POST', leases, { metadata: { name: 'n1' }, spec: {} }, ''],
    [
      'POST',
      leases,
      { metadata: { name: 'n2' }, spec: {} },
      'can only access node lease with the same name as the requesting node',
    ],
    ['POST', accounts, tokenFor('mine', mine, 'vault'), ''],
    [
      'POST',
      accounts,
      tokenFor('other', other, 'vault'),
      'node requested token bound to a pod scheduled on a different node',
    ],
    [
      'POST',
      accounts,
      tokenFor('mine', mine, 'bank'),
      'audience "bank" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
    ],
    ['POST', accounts, { spec: { audiences: [] } }, 'node requested token not bound to a pod'],
    ['POST', requests, signingRequest('system:node:n1'), ''],
    ['POST', requests, signingRequest('system:node:n2'), 'can only create a node CSR with CN=system:node:n1'],
    ['DELETE', '/api/v1/nodes/n1', {}, ''],
  ]
  for (const [method, url, body, why] of table) {
    const headers = method === 'PATCH' ? merge : {}
    const reply = await api.request(method, url, { user: node, body: method === 'DELETE' ? undefined : body, headers })
    const what = `${method} ${url} ${JSON.stringify(body)}`
    if (why === '') assert.ok(reply.code < 300 || reply.code === 422, `${what}: ${reply.text}`)
    else {
      assert.equal(reply.code, 403, `${what}: ${reply.text}`)
      assert.ok(reply.body.message.endsWith(`forbidden: ${why}`), `${what}: ${reply.body.message}`)
    }
  }
})

const rbac = '/apis/rbac.authorization.k8s.io/v1'

test('nobody gives what they do not have', async () => {
  await using api = await start()
  const roles = `${rbac}/namespaces/default/roles`
  const bindings = `${rbac}/namespaces/default/rolebindings`
  const bind = (name: string, role: string) => ({
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }],
  })
  await must(api, bindings, bind('ann', 'admin'))
  const may = (rule: object) =>
    api.request('POST', `${roles}?dryRun=All`, { user: ann, body: { metadata: { name: 'r' }, rules: [rule] } })
  await settles(() => may({ verbs: ['get'], apiGroups: [''], resources: ['pods'] }), 201)
  const refused = await may({ verbs: ['get', 'delete'], apiGroups: [''], resources: ['nodes'] })
  assert.equal(refused.code, 403)
  assert.equal(
    refused.body.message,
    'roles.rbac.authorization.k8s.io "r" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete"]}',
  )
  assert.equal((await api.request('POST', bindings, { user: ann, body: bind('b', 'cluster-admin') })).code, 403)
  assert.equal((await api.request('POST', bindings, { user: ann, body: bind('b', 'edit') })).code, 201)
  assert.equal((await api.request('POST', bindings, { user: ann, body: bind('c', 'no-such-role') })).code, 404)
})

test('a role of a label joins the roles that are made of such', async () => {
  await using api = await start()
  const view = () => api.request('GET', `${rbac}/clusterroles/view`)
  const names = async () => (await view()).text.includes('"widgets"')
  const metadata = { name: 'w', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } }
  const rules = [{ verbs: ['get'], apiGroups: ['example.com'], resources: ['widgets'] }]
  const waits = async (isThere: boolean) => {
    for (const end = Date.now() + 30_000; (await names()) !== isThere; await new Promise((go) => setTimeout(go, 2)))
      assert.ok(Date.now() < end, `never: widgets in view: ${isThere}`)
  }
  await must(api, `${rbac}/clusterroles`, { metadata, rules })
  await waits(true)
  await api.request('DELETE', `${rbac}/clusterroles/w`)
  await waits(false)
})

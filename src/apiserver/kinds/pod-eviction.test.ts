// Evictions against budgets; codes and texts are what kube-apiserver 1.36 answers to the same requests.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer, type Reply } from '#test/api-server.ts'

const pods = '/api/v1/namespaces/default/pods'
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const merge = { 'content-type': 'application/merge-patch+json' }
const refusal = "Cannot evict pod as it would violate the pod's disruption budget."

async function start() {
  const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  const api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }) })
  const ok = async (method: string, url: string, body: unknown) => {
    const reply = await api.request(method, url, { body, headers: method === 'PATCH' ? merge : {} })
    assert.ok(reply.code < 300, reply.text)
    return reply
  }
  await ok('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
  await ok('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } })
  await ok('POST', budgets, {
    metadata: { name: 'b' },
    spec: { minAvailable: 1, selector: { matchLabels: { a: 'b' } } },
  })
  return Object.assign(api, {
    run: async (name: string, status: 'True' | 'False', phase = 'Running') => {
      const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] }
      await ok('POST', pods, { metadata: { name, labels: { a: 'b' } }, spec })
      await ok('PATCH', `${pods}/${name}/status`, { status: { phase, conditions: [{ type: 'Ready', status }] } })
    },
    budget: (status: object) => ok('PATCH', `${budgets}/b/status`, { status: { observedGeneration: 1, ...status } }),
    evict: (name: string, query = '') =>
      api.request('POST', `${pods}/${name}/eviction${query}`, { body: { metadata: { name } } }),
  })
}

const cause = ({ body }: Reply) => body.details.causes[0].message

test('a budget that is used up, and one that is not', async () => {
  await using api = await start()
  await api.run('p', 'True')
  const early = await api.evict('p')
  assert.deepEqual([early.code, early.body.message, early.body.details.retryAfterSeconds], [429, refusal, 10])
  assert.equal(cause(early), 'The disruption budget b is still being processed by the server.')
  await api.budget({ disruptionsAllowed: 0, desiredHealthy: 1, currentHealthy: 1 })
  const no = await api.evict('p')
  assert.equal(no.code, 429)
  assert.equal(cause(no), 'The disruption budget b needs 1 healthy pods and has 1 currently')
  await api.budget({ disruptionsAllowed: 1 })
  assert.equal((await api.evict('p', '?dryRun=All')).code, 201)
  assert.equal((await api.request('GET', `${budgets}/b`)).body.status.disruptionsAllowed, 1)
  assert.equal((await api.evict('p')).code, 201)
  const { status } = (await api.request('GET', `${budgets}/b`)).body
  assert.deepEqual([status.disruptionsAllowed, Object.keys(status.disruptedPods)], [0, ['p']])
  assert.equal(status.conditions[0].reason, 'InsufficientPods')
  const pod = (await api.request('GET', `${pods}/p`)).body
  assert.ok(pod.metadata.deletionTimestamp)
  assert.equal(pod.status.conditions.at(-1).reason, 'EvictionByEvictionAPI')
})

test('pods that a budget does not keep', async () => {
  await using api = await start()
  await api.run('pending', 'False', 'Pending')
  await api.run('done', 'False', 'Succeeded')
  assert.equal((await api.evict('pending')).code, 201)
  assert.equal((await api.evict('done')).code, 201)
  await api.run('unready', 'False')
  await api.budget({ disruptionsAllowed: 0, desiredHealthy: 1, currentHealthy: 0 })
  assert.equal((await api.evict('unready')).code, 429)
  await api.budget({ currentHealthy: 1 })
  assert.equal((await api.evict('unready')).code, 201)
})

test('two budgets for one pod', async () => {
  await using api = await start()
  await api.run('p', 'True')
  await api.request('POST', budgets, { body: { metadata: { name: 'all' }, spec: { selector: {} } } })
  const reply = await api.evict('p')
  assert.equal(reply.code, 500)
  assert.match(reply.body.message, /^This pod has more than one PodDisruptionBudget/)
})

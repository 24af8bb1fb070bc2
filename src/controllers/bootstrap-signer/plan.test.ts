import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planSignatures, renderClusterInfo } from '#controllers/bootstrap-signer/plan.ts'
import { isSignedBy } from '#pki/detached-jws.ts'

const now = Date.UTC(2026, 10, 21)
const kubeconfig = renderClusterInfo('https://192.0.2.1:6443', 'CA')
const map = (data: Record<string, string>) =>
  ({ metadata: { name: 'cluster-info', namespace: 'kube-public', uid: 'u', resourceVersion: '1' }, data }) as never
const token = (id: string, more: Readonly<Record<string, string>> = {}) => {
  const data = { 'token-id': id, 'token-secret': `secret-of-${id}`, 'usage-bootstrap-signing': 'true', ...more }
  return {
    metadata: {},
    data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, btoa(text)])),
  } as never
}

test('a signature for each token that may sign, and none for others', () => {
  const tokens = [
    token('aaaaaa'),
    token('bbbbbb', { 'usage-bootstrap-signing': 'false' }),
    token('cccccc', { expiration: '2026-11-20T00:00:00Z' }),
    token('dddddd', { expiration: '2026-11-22T00:00:00Z' }),
  ]
  const signed = planSignatures(map({ kubeconfig, 'jws-kubeconfig-gone': 'x', other: 'kept' }), tokens, now)?.data ?? {}
  assert.deepEqual(Object.keys(signed).toSorted(), [
    'jws-kubeconfig-aaaaaa',
    'jws-kubeconfig-dddddd',
    'kubeconfig',
    'other',
  ])
  for (const id of ['aaaaaa', 'dddddd'])
    assert.ok(isSignedBy(signed[`jws-kubeconfig-${id}`]!, kubeconfig, id, `secret-of-${id}`))
  assert.equal(planSignatures(map(signed), tokens, now), undefined, 'nothing is left to do')
  assert.equal(planSignatures(map({}), tokens, now), undefined, 'nothing to sign')
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigMap, Namespace, ServiceAccount } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { planDefaultAccount, planRootCa } from '#controllers/service-account/plan.ts'
import { at, meta } from '#test/stored-objects.ts'

const shop = { metadata: meta('shop', { namespace: undefined }), spec: {} } as Stored<Namespace>
const going = { ...shop, metadata: { ...shop.metadata, deletionTimestamp: at(1) } }
const account = { metadata: meta('default', { namespace: 'shop' }) } as Stored<ServiceAccount>

test('the default account', () => {
  const [act] = planDefaultAccount(shop, undefined)
  assert.deepEqual(act?.kind === 'create' && act.object.metadata, { name: 'default', namespace: 'shop' })
  assert.deepEqual(planDefaultAccount(shop, account), [])
  assert.deepEqual(planDefaultAccount(going, undefined), [])
})

test('the bundle', () => {
  const [act] = planRootCa(shop, undefined, 'PEM')
  const made = (act?.kind === 'create' && act.object) as ConfigMap
  assert.deepEqual(made.data, { 'ca.crt': 'PEM' })
  assert.equal(made.metadata?.name, 'kube-root-ca.crt')
  const current = { ...made, metadata: { ...meta('kube-root-ca.crt'), ...made.metadata } } as Stored<ConfigMap>
  assert.deepEqual(planRootCa(shop, current, 'PEM'), [])
  assert.deepEqual(planRootCa(going, undefined, 'PEM'), [])
  const [fix] = planRootCa(shop, { ...current, data: { 'ca.crt': 'bad', more: 'x' } }, 'PEM')
  assert.deepEqual(fix?.kind === 'patch' && (fix.patch as ConfigMap).data, { 'ca.crt': 'PEM', more: null })
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { userOfToken } from '#apiserver/auth/bootstrap-token.ts'

const now = Date.UTC(2026, 10, 21)
const right = {
  'token-id': '07401b',
  'token-secret': 'f395accd246ae52d',
  'usage-bootstrap-authentication': 'true',
  expiration: '2026-11-21T00:00:01Z',
  'auth-extra-groups': 'system:bootstrappers:worker,system:bootstrappers:ingress',
}
const secretOf = (data: Readonly<Record<string, string>>, type = 'bootstrap.kubernetes.io/token') => ({
  type,
  data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, btoa(text)])),
})
const ask = (data: Readonly<Record<string, string>>, type?: string) =>
  userOfToken(secretOf(data, type), '07401b', 'f395accd246ae52d', now)

test('whom a bootstrap token stands for', () => {
  assert.deepEqual(ask(right), {
    name: 'system:bootstrap:07401b',
    groups: [
      'system:bootstrappers:worker',
      'system:bootstrappers:ingress',
      'system:bootstrappers',
      'system:authenticated',
    ],
  })
  assert.deepEqual(ask({ ...right, expiration: '', 'auth-extra-groups': '' })?.groups, [
    'system:bootstrappers',
    'system:authenticated',
  ])
})

for (const [name, change, type] of [
  ['expired', { expiration: '2026-11-21T00:00:00Z' }, undefined],
  ['an expiration that is no time', { expiration: 'tomorrow' }, undefined],
  ['another secret', { 'token-secret': 'f395accd246ae52e' }, undefined],
  ['a longer secret', { 'token-secret': 'f395accd246ae52d0' }, undefined],
  ['another id', { 'token-id': '07401c' }, undefined],
  ['not for authentication', { 'usage-bootstrap-authentication': 'false' }, undefined],
  ['a group beyond bootstrappers', { 'auth-extra-groups': 'system:masters' }, undefined],
  ['a Secret of another type', {}, 'Opaque'],
] as const)
  test(`nobody: ${name}`, () => assert.equal(ask({ ...right, ...change }, type), undefined))

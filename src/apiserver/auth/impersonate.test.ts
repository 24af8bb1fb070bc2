import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { unionOf } from '#apiserver/auth/authorizer.ts'
import { impersonate, type Headers } from '#apiserver/auth/impersonate.ts'
import type { User } from '#apiserver/kind.ts'

const admin: User = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }
const proxy: User = { name: 'system:kube-proxy', groups: ['system:authenticated'] }

const table: readonly [name: string, user: User, headers: Headers, want: string][] = [
  ['nobody else', proxy, {}, 'system:kube-proxy system:authenticated'],
  ['a user', admin, { 'impersonate-user': 'jane' }, 'jane system:authenticated'],
  [
    'with groups',
    admin,
    { 'impersonate-user': 'jane', 'impersonate-group': 'dev, ops' },
    'jane dev,ops,system:authenticated',
  ],
  [
    'a service account',
    admin,
    { 'impersonate-user': 'system:serviceaccount:a:b' },
    'system:serviceaccount:a:b system:serviceaccounts,system:serviceaccounts:a,system:authenticated',
  ],
  [
    'who may not',
    proxy,
    { 'impersonate-user': 'jane' },
    '403 users "jane" is forbidden: User "system:kube-proxy" cannot impersonate resource "users" in API group "" at the cluster scope',
  ],
  [
    'groups of nobody',
    admin,
    { 'impersonate-group': 'dev' },
    '400 requested impersonation of groups, extra values or a uid without impersonating a user',
  ],
]

test('requests in another name', () => {
  const authorizer = unionOf([])
  for (const [name, user, headers, want] of table) {
    const got = impersonate(user, headers, authorizer)
    const text =
      got.kind === 'user' ? `${got.user.name} ${got.user.groups.join(',')}` : `${got.status.code} ${got.status.message}`
    assert.equal(text, want, name)
  }
})

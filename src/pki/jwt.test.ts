import * as assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createKey, publicKeyOf } from '#pki/certificate.ts'
import { createTokenSigner, createTokenVerifier, renderKeySet } from '#pki/jwt.ts'
import { claimsOf, serviceAccountUser, tokenOf, type ServiceAccountToken } from '#pki/service-account-token.ts'

const now = Date.UTC(2026, 0, 1)
const token: ServiceAccountToken = {
  issuer: 'https://kubernetes.default.svc.cluster.local',
  audiences: ['https://kubernetes.default.svc.cluster.local'],
  namespace: 'kube-system',
  serviceAccount: { name: 'dns', uid: 'u1' },
  pod: { name: 'dns-1', uid: 'u2' },
  node: undefined,
  issuedAtMs: now,
  expiresAtMs: now + 3_600_000,
  id: 'one',
}
const ec = createKey()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string

for (const [name, key] of [
  ['ES256', ec],
  ['RS256', rsa],
] as const)
  test(`jwt: ${name} is signed and verified`, () => {
    const text = createTokenSigner(key)(claimsOf(token))
    const verify = createTokenVerifier([publicKeyOf(ec), publicKeyOf(rsa)])
    const result = verify(text, now)
    assert.ok(result.kind === 'valid')
    assert.deepEqual(tokenOf(result.claims), token)
    assert.equal(JSON.parse(atob(text.split('.')[0]!)).alg, name)
    const reason = (token: string, at = now) => {
      const answer = verify(token, at)
      return answer.kind === 'invalid' ? answer.reason : 'valid'
    }
    const [head, body, signature] = text.split('.') as [string, string, string]
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    const forged = Buffer.from(JSON.stringify({ ...claimsOf(token), sub: 'admin' })).toString('base64url')
    assert.equal(reason(`${head}.${forged}.${signature}`), 'signature of no known key')
    assert.equal(reason(`${none}.${body}.`), 'signature of no known key')
    assert.equal(reason(text, now + 3_600_000), 'token has expired')
    assert.equal(reason(text, now - 1000), 'token is not valid yet')
    assert.equal(reason('abc'), 'not a token')
    const other = createTokenVerifier([createKey()])(text, now)
    assert.equal(other.kind, 'invalid')
  })

test('jwt: the key set names the key of a token', () => {
  const text = createTokenSigner(ec)({})
  const { kid } = JSON.parse(atob(text.split('.')[0]!)) as { kid: string }
  const [key] = renderKeySet([publicKeyOf(ec)]).keys as [Record<string, string>]
  assert.deepEqual([key['kid'], key['alg'], key['crv'], key['use']], [kid, 'ES256', 'P-256', 'sig'])
})

test('service account token: the user, and claims of others', () => {
  assert.deepEqual(serviceAccountUser(token), {
    name: 'system:serviceaccount:kube-system:dns',
    uid: 'u1',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
  })
  assert.equal(tokenOf({ sub: 'admin' }), undefined)
  assert.equal(tokenOf({ ...claimsOf(token), sub: 'system:serviceaccount:kube-system:other' }), undefined)
})

import * as assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { isSignedBy, signDetached } from '#pki/detached-jws.ts'

const content = 'apiVersion: v1\nkind: Config\n'
const [id, secret] = ['joshua', 'wopr.is.the.best']

test('a detached signature is RFC 7515 with the content left out', () => {
  const signature = signDetached(content, id, secret)
  const [header = '', payload, signed] = signature.split('.')
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'HS256', kid: id })
  assert.equal(payload, '')
  const whole = `${header}.${Buffer.from(content).toString('base64url')}`
  assert.equal(signed, createHmac('sha256', secret).update(whole).digest('base64url'))
  assert.ok(isSignedBy(signature, content, id, secret))
})

test('any change of it is seen', () => {
  const signature = signDetached(content, id, secret)
  assert.ok(!isSignedBy(signature, `${content} `, id, secret))
  assert.ok(!isSignedBy(signature, content, 'joshub', secret))
  assert.ok(!isSignedBy(signature, content, id, 'wopr.is.the.bes'))
  for (const wrong of ['', 'a', '..', `${signature}.`, signature.slice(0, -1)])
    assert.ok(!isSignedBy(wrong, content, id, secret), wrong)
  const none = `${Buffer.from('{"alg":"none","kid":"joshua"}').toString('base64url')}..`
  assert.ok(!isSignedBy(none, content, id, secret))
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseImageReference } from '#node/images/reference.ts'
import { commandOf, resolveImage } from '#node/images/resolve.ts'

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
for (const [text, want] of [
  ['nginx', { repository: 'docker.io/library/nginx', name: 'nginx', tag: 'latest' }],
  ['nginx:1.7.9', { repository: 'docker.io/library/nginx', name: 'nginx', tag: '1.7.9' }],
  ['me/web:v1', { repository: 'docker.io/me/web', name: 'web', tag: 'v1' }],
  ['k8s.gcr.io/serve_hostname', { repository: 'k8s.gcr.io/serve_hostname', name: 'serve_hostname', tag: 'latest' }],
  ['localhost:5000/a/b:c', { repository: 'localhost:5000/a/b', name: 'b', tag: 'c' }],
  [`a@${digest}`, { repository: 'docker.io/library/a', name: 'a', tag: 'latest', digest }],
  ['', undefined],
  ['Nginx', undefined],
  ['a b', undefined],
  ['nginx:', undefined],
  ['a//b', undefined],
] as const)
  test(`image name ${JSON.stringify(text)}`, () => assert.deepEqual(parseImageReference(text), want))

for (const [image, hasCommand, want] of [
  ['k8s.gcr.io/serve_hostname', false, ['/agnhost', 'serve-hostname']],
  ['registry.k8s.io/e2e-test-images/agnhost:2.53', false, ['/agnhost', 'pause']],
  ['nginx:1.7.9', false, ['/agnhost', 'nginx']],
  ['registry.k8s.io/pause:3.10', false, ['/agnhost', 'pause']],
  ['python:3.7', true, []],
] as const)
  test(`what runs for ${image}`, () => {
    const resolved = resolveImage(image, hasCommand)
    assert.equal(resolved.kind, 'image')
    assert.deepEqual(commandOf(resolved.config, [], []), want)
    assert.match(resolved.config.note!, /is not pulled: /)
  })

test('an image without a stand-in and without a command says what to do', () => {
  const resolved = resolveImage('mysql:8', false)
  assert.equal(resolved.kind, 'unknown')
  assert.match(resolved.message, /give the container a command/)
  assert.equal(resolveImage('UPPER', true).kind, 'invalid')
})

const image = { entrypoint: ['/e'], cmd: ['c'] }
for (const [command, args, want] of [
  [[], [], ['/e', 'c']],
  [[], ['a'], ['/e', 'a']],
  [['x'], [], ['x']],
  [['x'], ['a'], ['x', 'a']],
] as const)
  test(`command ${JSON.stringify(command)} and args ${JSON.stringify(args)}`, () =>
    assert.deepEqual(commandOf(image, command, args), want))

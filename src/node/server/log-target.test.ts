import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { findLog } from '#node/server/log-target.ts'
import { makeContainer as c, makePod, makeView } from '#node/testing/fixtures.ts'

const waiting = {
  containerStatuses: [
    {
      name: 'main',
      image: '',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { waiting: { reason: 'ErrImagePull' } },
    },
  ],
}

for (const [name, containers, container, previous, want] of [
  ['the one that runs', [c('main', 'running')], 'main', false, 'main-0'],
  ['the newest', [c('main', 'exited'), c('main', 'running', { attempt: 1 })], 'main', false, 'main-1'],
  ['the one before', [c('main', 'exited'), c('main', 'running', { attempt: 1 })], 'main', true, 'main-0'],
  ['in a crash loop, the one before is the last', [c('main', 'exited')], 'main', true, 'main-0'],
  [
    'none before',
    [c('main', 'running')],
    'main',
    true,
    '400 previous terminated container "main" in pod "web" not found',
  ],
  ['not started', [], 'main', false, '400 container "main" in pod "web" is waiting to start: ErrImagePull'],
  ['an ephemeral one', [c('debug', 'exited')], 'debug', false, 'debug-0'],
  ['no such container', [], 'nope', false, '404 container "nope" not found in pod "web"'],
] as const)
  test(`whose log: ${name}`, () => {
    const found = findLog(
      makePod({ ephemeralContainers: [{ name: 'debug', image: 'img' }] }),
      waiting,
      makeView(...containers),
      container,
      previous,
    )
    assert.equal(found.kind === 'log' ? found.container.id : `${found.httpStatus} ${found.message}`, want)
  })

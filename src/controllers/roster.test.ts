import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { chosen, roster } from '#controllers/roster.ts'

const names = (...wanted: string[]) => chosen(wanted).map(({ name }) => name)

test('--controllers', () => {
  assert.equal(names('*').length, roster.length)
  assert.deepEqual(names('deployment-controller', 'scheduler'), ['scheduler', 'deployment-controller'])
  assert.deepEqual(names('deployment'), ['deployment-controller'], 'older names')
  assert.ok(!names('*', '-garbagecollector').includes('garbage-collector-controller'))
  assert.deepEqual(names('-scheduler'), [])
  assert.throws(() => names('*', '-deploiment'), {
    message: /no controller is called "deploiment"/,
    remedy: /deployment/,
  })
})

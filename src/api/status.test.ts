import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { invalid as invalidField, required } from '#api/field-error.ts'
import * as status from '#api/status.ts'

const services = { group: '', plural: 'services', kind: 'Service' }
const deployments = { group: 'apps', plural: 'deployments', kind: 'Deployment' }

const messages: [string, { readonly message?: string; readonly code?: number; readonly reason?: string }, string][] = [
  ['not found', status.notFound(services, 'web'), '404 NotFound services "web" not found'],
  ['not found in a group', status.notFound(deployments, 'web'), '404 NotFound deployments.apps "web" not found'],
  ['exists', status.alreadyExists(services, 'web'), '409 AlreadyExists services "web" already exists'],
  [
    'conflict',
    status.conflict(deployments, 'web'),
    '409 Conflict Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
  ],
  [
    'invalid',
    status.invalid(services, 'web', [invalidField('spec.ports[0].nodePort', 80, 'no')]),
    '422 Invalid Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 80: no',
  ],
  [
    'invalid twice',
    status.invalid(deployments, 'web', [required('a'), required('b')]),
    '422 Invalid Deployment.apps "web" is invalid: [a: Required value, b: Required value]',
  ],
  ['forbidden', status.forbidden(services, 'web', 'no'), '403 Forbidden services "web" is forbidden: no'],
  ['forbidden list', status.forbidden(services, '', 'no'), '403 Forbidden services is forbidden: no'],
  ['forbidden URL', status.forbidden(undefined, '', 'no'), '403 Forbidden forbidden: no'],
  ['expired', status.expired(status.watchTooOld), '410 Expired The resourceVersion for the provided watch is too old.'],
  ['version too large', status.versionTooLarge(9, 3), '504 Timeout Timeout: Too large resource version: 9, current: 3'],
]
for (const [name, { code, reason, message }, want] of messages)
  test(`status: ${name}`, () => assert.equal(`${code} ${reason} ${message}`, want))

test('status: the whole object, without what is empty', () =>
  assert.deepEqual(status.notFound(services, 'web'), {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'services "web" not found',
    reason: 'NotFound',
    details: { name: 'web', kind: 'services' },
    code: 404,
  }))

test('status: causes of an invalid object', () =>
  assert.deepEqual(status.invalid(deployments, 'web', [required('a.b', 'now')]).details, {
    name: 'web',
    group: 'apps',
    kind: 'Deployment',
    causes: [{ reason: 'FieldValueRequired', message: 'Required value: now', field: 'a.b' }],
  }))

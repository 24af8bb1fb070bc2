import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyConfig } from '#api/apply/apply.ts'
import { decodeFields, encodeFields, type FieldsV1 } from '#api/apply/field-set.ts'
import { fieldsOf } from '#api/apply/fields-of.ts'
import { emptyObject, recordUpdate, withManagedFields, withoutTimeChanges } from '#api/apply/record.ts'
import { shapeOf } from '#api/apply/shape.ts'
import type { ApiObject } from '#api/meta.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'

type Step = {
  readonly by: string
  readonly apply?: object
  readonly force?: boolean
  readonly update?: object
  readonly subresource?: string
}

const head = { apiVersion: 'v1', kind: 'Service' }
const meta = { name: 'web', namespace: 'default' }
const service = (spec: object, metadata: object = {}) => ({ ...head, metadata: { ...meta, ...metadata }, spec })
const port = (port: number, more: object = {}) => ({ port, protocol: 'TCP', ...more })

/** The object after some writes; the message of the last one where it was refused. */
function after(steps: readonly Step[]): { readonly object: ApiObject; readonly refused?: string } {
  let live: ApiObject | undefined
  for (const [at, { by, apply, force = false, update, subresource = '' }] of steps.entries()) {
    const write = { type: 'core.Service', ...head, subresource, manager: by, ignored: [], nowMs: at * 1000, force }
    if (update !== undefined) live = recordUpdate(write, live, { ...update })
    else {
      const applied = applyConfig(write, live, apply)
      if (applied.kind === 'status')
        return { object: live ?? {}, refused: `${applied.status.code} ${applied.status.message}` }
      live = withManagedFields(applied.object as ApiObject, applied.managedFields)
    }
  }
  return { object: live! }
}

/** `manager operation[/subresource] seconds` -> its fields */
function owners({ metadata }: ApiObject): Record<string, FieldsV1> {
  return Object.fromEntries(
    (metadata?.managedFields ?? []).map(({ manager, operation, subresource, time, fieldsV1 }) => [
      `${manager} ${operation}${subresource ? `/${subresource}` : ''} ${Date.parse(time!) / 1000}`,
      fieldsV1 as FieldsV1,
    ]),
  )
}

test('apply: what one manager set first, another may set too, to the same value', () => {
  const { object } = after([
    { by: 'a', apply: service({ type: 'ClusterIP', ports: [port(80)] }) },
    { by: 'b', apply: service({ type: 'ClusterIP' }) },
  ])
  assert.deepEqual(owners(object), {
    'a Apply 0': {
      'f:spec': {
        'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} } },
        'f:type': {},
      },
    },
    'b Apply 1': { 'f:spec': { 'f:type': {} } },
  })
})

test('apply: what nobody else owns goes with the one who no longer speaks of it', () => {
  const { object } = after([
    { by: 'a', apply: service({ type: 'NodePort', externalIPs: ['1.1.1.1'], ports: [port(80), port(81)] }) },
    { by: 'b', apply: service({ type: 'NodePort' }) },
    { by: 'a', apply: service({ ports: [port(81)] }) },
  ])
  const { spec } = object as { spec: object }
  assert.deepEqual(spec, { type: 'NodePort', ports: [port(81)] })
})

test('apply: another value of a field that someone owns is a conflict, unless it is forced', () => {
  const steps = [
    { by: 'kubectl-create', update: service({ type: 'ClusterIP', ports: [port(80, { name: 'http' })] }) },
    { by: 'kubectl', apply: service({ ports: [port(80, { name: 'web' })] }) },
  ]
  assert.equal(
    after(steps).refused,
    '409 Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .spec.ports[port=80,protocol="TCP"].name',
  )
  const { object } = after([steps[0]!, { ...steps[1]!, force: true }])
  assert.deepEqual(Object.keys(owners(object)), ['kubectl Apply 1', 'kubectl-create Update 0'])
  assert.equal((object as { spec: { ports: { name: string }[] } }).spec.ports[0]!.name, 'web')
})

test('apply: several conflicts are listed by manager', () => {
  const { refused } = after([
    { by: 'a', apply: service({ type: 'ClusterIP', externalName: 'x' }) },
    {
      by: 'b',
      update: service({ type: 'ClusterIP', externalName: 'x', sessionAffinity: 'None' }),
      subresource: 'status',
    },
    { by: 'c', apply: service({ type: 'NodePort', externalName: 'y', sessionAffinity: 'ClientIP' }) },
  ])
  assert.equal(
    refused,
    '409 Apply failed with 3 conflicts: conflicts with "a":\n- .spec.externalName\n- .spec.type\nconflicts with "b" with subresource "status" using v1:\n- .spec.sessionAffinity',
  )
})

test('apply: kubectl takes over from its own client-side apply', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration'
  const before = service({ type: 'ClusterIP' })
  const stored = service({ type: 'ClusterIP' }, { annotations: { [annotation]: JSON.stringify(before) } })
  const { object, refused } = after([
    { by: 'kubectl-client-side-apply', update: stored },
    { by: 'kubectl', apply: service({ type: 'NodePort' }) },
  ])
  assert.equal(refused, undefined)
  assert.equal(
    object.metadata?.annotations?.[annotation],
    '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"default"},"spec":{"type":"NodePort"}}\n',
  )
})

test('apply: the same again changes nothing, not even the time', () => {
  const once = { by: 'a', apply: service({ type: 'ClusterIP', ports: [port(80)] }) }
  assert.deepEqual(after([once, once, once]).object, after([once]).object)
})

const refusals: [string, object, string][] = [
  [
    'unknown field',
    service({ foo: 1 }),
    '500 failed to create typed patch object (default/web; /v1, Kind=Service): .spec.foo: field not declared in schema',
  ],
  [
    'wrong types',
    service({ clusterIPs: {}, publishNotReadyAddresses: 'yes', type: 5, selector: 'x' }),
    '500 failed to create typed patch object (default/web; /v1, Kind=Service): errors:\n  .spec.clusterIPs: expected list, got &{map[]}\n  .spec.publishNotReadyAddresses: expected boolean, got &{yes}\n  .spec.type: expected string, got &value.valueUnstructured{Value:5}\n  .spec.selector: expected map, got &{x}',
  ],
  [
    'the same key twice',
    service({ ports: [port(80), { port: 80 }] }),
    '500 failed to create typed patch object (default/web; /v1, Kind=Service): .spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
  ],
  ['managedFields', service({}, { managedFields: [] }), '400 metadata.managedFields must be nil'],
  ['another kind', { ...service({}), kind: 'Pod' }, '400 invalid object type: /v1, Kind=Pod'],
]
for (const [name, apply, want] of refusals)
  test(`apply: refused: ${name}`, () => assert.equal(after([{ by: 'a', apply }]).refused, want))

test('record: a writer owns what it changes, and the one before no longer does', () => {
  const { object } = after([
    { by: 'a', update: service({ type: 'ClusterIP', sessionAffinity: 'None' }) },
    { by: 'b', update: service({ type: 'NodePort', sessionAffinity: 'None' }) },
    { by: 'a', update: service({ type: 'NodePort' }) },
  ])
  assert.deepEqual(owners(object), { 'b Update 1': { 'f:spec': { 'f:type': {} } } })
})

test('record: the oldest of many updaters are put together', () => {
  const steps = Array.from({ length: 13 }, (_, at) => ({
    by: `m${at}`,
    update: service({}, { labels: Object.fromEntries(Array.from({ length: at + 1 }, (_, n) => [`l${n}`, ''])) }),
  }))
  const names = Object.keys(owners(after(steps).object))
  assert.equal(names.length, 10)
  assert.ok(names[0]!.startsWith('ancient-changes Update'))
})

test('record: managedFields that a client sends count, and empty ones clear', () => {
  const first = { by: 'a', update: service({ type: 'ClusterIP' }) }
  const sent = [
    {
      manager: 'z',
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:type': {} } },
      time: '1970-01-01T00:00:00Z',
    },
  ]
  const taken = after([first, { by: 'b', update: service({ type: 'ClusterIP' }, { managedFields: sent }) }])
  assert.deepEqual(owners(taken.object), { 'z Apply 0': { 'f:spec': { 'f:type': {} } } })
  for (const managedFields of [[], [{}]]) {
    const cleared = after([first, { by: 'b', update: service({ type: 'ClusterIP' }, { managedFields }) }])
    assert.equal(cleared.object.metadata?.managedFields, undefined)
  }
})

test('record: times alone are no change', () => {
  const { object } = after([{ by: 'a', update: service({ type: 'ClusterIP' }) }])
  const later = withManagedFields(object, [{ ...object.metadata!.managedFields![0]!, time: '2030-01-01T00:00:00Z' }])
  assert.deepEqual(withoutTimeChanges(later, object), object)
  const changed = { ...later, spec: { type: 'NodePort' } }
  assert.equal(withoutTimeChanges(changed, object), changed)
})

test('apply: what one manager applies twice in a row is what stands there', () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = randomFrom(seed)
    const configs = [0, 1].map(() => {
      const object = generateObject('core.ConfigMap', { random, fullness: 40, depth: 3 })
      return { apiVersion: 'v1', kind: 'ConfigMap', ...object, metadata: meta }
    })
    let live = emptyObject('core.ConfigMap')
    for (const config of configs) {
      const write = { type: 'core.ConfigMap', apiVersion: 'v1', kind: 'ConfigMap', subresource: '', manager: 'a' }
      const applied = applyConfig({ ...write, ignored: [], nowMs: 0, force: false }, live, config)
      assert.ok(applied.kind === 'ok', `seed ${seed}`)
      live = withManagedFields(applied.object as ApiObject, applied.managedFields)
      assert.deepEqual(applied.object, config, `seed ${seed}`)
    }
  }
})

test('field sets: they come back from managedFields as they were', () => {
  for (let seed = 0; seed < 100; seed++) {
    const type = ['core.Pod', 'core.Service', 'apps.Deployment'][seed % 3]!
    const set = fieldsOf(generateObject(type, { random: randomFrom(seed), fullness: 30 }), shapeOf(type))
    const text = JSON.stringify(encodeFields(set))
    assert.equal(JSON.stringify(encodeFields(decodeFields(JSON.parse(text))!)), text, `seed ${seed}`)
  }
  assert.equal(decodeFields({ 'k:{': {} }), undefined)
  assert.equal(decodeFields('x'), undefined)
})

// What holds for every kind, whatever an object says: random ones show it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject } from '#api/meta.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'
import { typeNamed } from '#api/schema/schema.ts'
import type { AdmitContext, Kind, Objects } from '#apiserver/kind.ts'
import { kinds } from '#apiserver/kinds.ts'

const all = kinds({
  serviceClusterIpRanges: ['10.0.0.0/16'],
  serviceNodePortRange: '30000-32767',
  objects: {} as Objects,
})
const perKind = 60
const nowMs = Date.UTC(2026, 10, 21)

/** No kind here is of a custom resource. */
const nameOfType = ({ type }: Kind): string => type as string

function objectsOf(kind: Kind): ApiObject[] {
  const type = nameOfType(kind)
  const random = randomFrom(type.length * 7919)
  return Array.from({ length: perKind }, (_, at) => {
    const object = generateObject(type, { random, fullness: 10 + (at % 6) * 15, depth: 7 }) as ApiObject
    const metadata = { ...object.metadata, name: 'a', namespace: 'default', uid: 'u' }
    return { apiVersion: 'v1', kind: kind.resource.kind, ...object, metadata } as ApiObject
  })
}

const context: AdmitContext = {
  operation: 'create',
  nowMs,
  user: { name: 'a', groups: [] },
  namespace: 'default',
  name: 'a',
  dryRun: false,
  random: () => 0,
  objects: {} as Objects,
}

const defaulted = (kind: Kind, object: ApiObject) => kind.default?.(object) ?? object

for (const kind of all) {
  const name = kind.resource.kind

  test(`${name}: the schema has its type, and a table its cells`, () => {
    assert.ok(typeNamed(nameOfType(kind)))
    for (const object of objectsOf(kind))
      assert.equal(kind.row(object, nowMs).length, kind.columns.length, JSON.stringify(object))
  })

  test(`${name}: defaults given twice are those given once, and change nothing in place`, () => {
    for (const object of objectsOf(kind)) {
      const before = structuredClone(object)
      const once = defaulted(kind, object)
      assert.deepEqual(object, before)
      assert.deepEqual(defaulted(kind, once), once)
    }
  })

  test(`${name}: whatever an object says, it is judged`, () => {
    for (const object of objectsOf(kind)) {
      const once = defaulted(kind, object)
      const made = kind.prepareCreate?.(once, context) ?? once
      assert.ok(Array.isArray(kind.validate?.(made, undefined) ?? []))
      const changed = kind.prepareUpdate?.(once, made, context) ?? once
      assert.ok(Array.isArray(kind.validate?.(changed, made) ?? []))
      kind.warnings?.(made, undefined)
      kind.fields?.(made)
    }
  })

  test(`${name}: what is stored is not refused when it is written again as it is`, () => {
    for (const object of objectsOf(kind)) {
      const once = defaulted(kind, object)
      const made = kind.prepareCreate?.(once, context) ?? once
      if ((kind.validate?.(made, undefined) ?? []).length > 0) continue
      const again = kind.prepareUpdate?.(defaulted(kind, made), made, context) ?? defaulted(kind, made)
      assert.deepEqual(kind.validate?.(again, made) ?? [], [])
    }
  })
}

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeListValue, decodeValue } from '#api/decode.ts'
import { decodeListMessage, decodeMessage } from '#api/protobuf/decode-message.ts'
import { encodeListMessage, encodeMessage } from '#api/protobuf/encode-message.ts'
import { closeEnvelope, openEnvelope } from '#api/protobuf/envelope.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'
import { typeNamed, typeNames } from '#api/schema/schema.ts'

/** Types whose every field has a number: the others do not exist in protobuf. */
function isInProtobuf(typeName: string, seen = new Set<string>()): boolean {
  if (seen.has(typeName)) return true
  seen.add(typeName)
  for (const field of typeNamed(typeName)!.fields.values()) {
    if (field.number === 0 && field.name !== 'apiVersion' && field.name !== 'kind') return false
    let { type } = field
    while (type.kind === 'list' || type.kind === 'map') type = type.kind === 'list' ? type.element : type.value
    if (type.kind === 'object' && !isInProtobuf(type.type, seen)) return false
  }
  return true
}

function throughProtobuf(type: string, object: object): unknown {
  const bytes = encodeMessage(type, { ...object })
  const message = decodeMessage(type, bytes)
  if (message.kind === 'error') return message
  return decodeValue(type, message.value)
}

// A time of 0 seconds is no time, in protobuf.
const withoutEpoch = (object: object) =>
  JSON.parse(JSON.stringify(object).replaceAll('"1970-01-01T00:00:00Z"', '"1970-01-01T00:00:01Z"')) as object

test('protobuf: objects of every type come back as they were', () => {
  const types = typeNames().filter((type) => isInProtobuf(type))
  assert.ok(types.length > 300)
  for (const [seed, type] of types.entries())
    for (const fullness of [5, 40, 90]) {
      const random = randomFrom(seed * 7 + fullness)
      const object = withoutEpoch(generateObject(type, { random, fullness, depth: 4 }))
      const want = { kind: 'ok', object, problems: [] }
      assert.deepEqual(throughProtobuf(type, object), want, `${type}, seed ${seed}, fullness ${fullness}`)
    }
})

test('protobuf: lists', () => {
  const random = randomFrom(5)
  const items = [1, 2, 3].map(() => withoutEpoch(generateObject('core.Service', { random })))
  const list = { metadata: { resourceVersion: '7' }, items }
  const message = decodeListMessage('core.Service', encodeListMessage('core.Service', list))
  assert.ok(message.kind === 'ok')
  assert.deepEqual(decodeListValue('core.Service', message.value), { kind: 'ok', object: list, problems: [] })
})

test('protobuf: the envelope', () => {
  const envelope = { apiVersion: 'apps/v1', kind: 'Deployment', raw: Uint8Array.of(1, 2, 3) }
  assert.deepEqual(openEnvelope(closeEnvelope(envelope)), { kind: 'ok', value: envelope })
  assert.equal(openEnvelope(Uint8Array.of(0x6b, 0x38)).kind, 'error')
})

test('protobuf: a number in the place of a text is an error', () => {
  const result = decodeMessage('core.Service', Uint8Array.of(0x0a, 0x02, 0x08, 0x01))
  assert.deepEqual(result, { kind: 'error', message: 'proto: wrong wireType = 0 for field 1' })
})

test('protobuf: unknown fields of any wire type are skipped', () => {
  const unknown = [0x98, 0x06, 0x05, 0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0x9a, 0x06, 0x01, 0x00, 0x9d, 0x06, 1, 2, 3, 4]
  const group = [0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06]
  const result = decodeMessage('core.ServicePort', Uint8Array.from([...unknown, ...group, 0x18, 0x50]))
  assert.deepEqual(result, { kind: 'ok', value: { port: 80 } })
})

test('protobuf: garbage gives an error or an object, never more', () => {
  const random = randomFrom(11)
  for (let round = 0; round < 2000; round++) {
    const type = ['core.Pod', 'core.Service', 'apps.Deployment', 'authorization.SelfSubjectAccessReview'][random(4)]!
    const bytes = encodeMessage(type, generateObject(type, { random, fullness: 30, depth: 4 }))
    for (let hits = 1 + random(6); hits > 0; hits--) bytes[random(bytes.length)] = random(256)
    const cut = random(3) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes
    const message = decodeMessage(type, cut)
    if (message.kind === 'ok') decodeValue(type, message.value)
    openEnvelope(cut)
    openEnvelope(Uint8Array.from([0x6b, 0x38, 0x73, 0, ...cut]))
  }
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeValue } from '#api/decode.ts'
import { generateObject, randomFrom } from '#api/schema/generate.ts'
import { typeNames } from '#api/schema/schema.ts'

test('generate: the same seed gives the same object', () => {
  const make = () => generateObject('core.Pod', { random: randomFrom(3) })
  assert.deepEqual(make(), make())
})

test('generate and decode: objects of every type decode to themselves', () => {
  for (const [seed, type] of typeNames().entries())
    for (const fullness of [0, 30, 80]) {
      const object = generateObject(type, { random: randomFrom(seed * 3 + fullness), fullness, depth: 4 })
      const decoded = decodeValue(type, structuredClone(object))
      assert.deepEqual(decoded, { kind: 'ok', object, problems: [] }, `${type}, seed ${seed}, fullness ${fullness}`)
    }
})

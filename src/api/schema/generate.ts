// Random objects of any type of the schema, for property tests: the same seed gives the same object. Values are in the
// form in which decoding leaves them, so that what is generated decodes to itself.

import { type Field, type FieldType, type Json, type Scalars, typeNamed } from '#api/schema/schema.ts'

export type Random = (below: number) => number

/** Whole numbers from 0 to below - 1, the same sequence for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

export type Generator = {
  readonly random: Random
  /** in how many of 100 cases a field that need not be there is there; default 30 */
  readonly fullness?: number
  /** below this depth, only what must be there is generated; default 6 */
  readonly depth?: number
}

type JsonObject = { [key: string]: Json | undefined }

/** An object of `typeName` ('core.Pod'), without apiVersion and kind. */
export function generateObject(typeName: string, generator: Generator): JsonObject {
  const type = typeNamed(typeName)
  if (type === undefined) throw new Error(`the schema has no type ${typeName}`)
  const { random, fullness = 30, depth = 6 } = generator
  const deeper = { random, fullness, depth: depth - 1 }
  const object: JsonObject = {}
  for (const field of type.fields.values()) {
    const isTypeMeta = field.number === 0 && !field.required && (field.name === 'apiVersion' || field.name === 'kind')
    if (isTypeMeta) continue
    const isThere = field.always || (depth > 0 && random(100) < fullness)
    if (!isThere) continue
    const value = generateValue(field.type, deeper, field)
    if (value !== undefined) object[field.name] = value
  }
  return object
}

function generateValue(type: FieldType, generator: Generator, field?: Field): Json | undefined {
  const { random, depth = 6 } = generator
  switch (type.kind) {
    case 'object':
      return generateObject(type.type, generator)
    case 'list': {
      const least = field?.always ? 0 : 1
      return Array.from(
        { length: depth <= 0 ? least : least + random(3) },
        () => generateValue(type.element, generator) ?? null,
      )
    }
    case 'map': {
      const map: JsonObject = {}
      for (let left = 1 + random(2); left > 0; left--) map[word(random)] = generateValue(type.value, generator)
      return map
    }
    case 'scalar':
      return generateScalar(type.scalar, random, field === undefined || field.optional || field.always)
  }
}

const words = ['web', 'http', 'a', 'example.com/x', 'TCP', 'node-1', 'f:x', '10.0.0.1', 'é', '100%', 'x.y_z', '日本']
const quantities = ['1', '100m', '64Mi', '1500m', '2Gi', '5', '1536Mi', '3k']

const word = (random: Random) => words[random(words.length)]!

/** `mayBeZero`: whether the zero value is a value here; if not, another is taken. */
function generateScalar(scalar: keyof Scalars, random: Random, mayBeZero: boolean): Json | undefined {
  const isZero = mayBeZero && random(4) === 0
  const number = (most: number) => (isZero ? 0 : (1 + random(most)) * (random(5) === 0 ? -1 : 1))
  switch (scalar) {
    case 'string':
      return isZero ? '' : word(random)
    case 'bool':
      return !isZero
    case 'int32':
      return number(2147483647)
    case 'int64':
      return number(Number.MAX_SAFE_INTEGER)
    case 'double':
      return isZero ? 0 : random(1000) / 8 + 0.125
    case 'bytes':
      return isZero ? '' : btoa(String.fromCharCode(...Array.from({ length: 1 + random(9) }, () => random(256))))
    case 'Time':
      return `${new Date(random(2000000000) * 1000).toISOString().slice(0, 19)}Z`
    case 'MicroTime':
      return `${new Date(random(2000000000) * 1000).toISOString().slice(0, 19)}.${String(random(1000000)).padStart(6, '0')}Z`
    case 'Quantity':
      return quantities[random(quantities.length)]!
    case 'IntOrString':
      return random(2) === 0 ? number(65535) : '25%'
    case 'Raw':
      return { apiVersion: 'v1', kind: 'Any', data: [1, null, { a: word(random) }] }
    case 'Fields':
      return { 'f:spec': { [`f:${word(random)}`]: {} } }
    case 'JSON':
      return random(2) === 0 ? word(random) : [random(9), { a: null }]
    case 'Schema':
      return random(2) === 0 ? true : { type: 'string', format: word(random) }
  }
}

// From JSON of unknown origin to an object of a type of the schema: pruned to its fields, every value in the form in
// which it is stored, with what Kubernetes' decoding says of what does not fit. A decoder is compiled once per type, at
// its first use: this runs on every body that comes in and on the result of every patch.

import { DecodeContext, kindOfJson } from '#api/decode-context.ts'
import { isZero, scalarDecoders, zeroOf } from '#api/decode-scalar.ts'
import { type Field, type FieldType, type Json, typeNamed } from '#api/schema/schema.ts'
import type { TypeRef } from '#api/type-ref.ts'

export type Decoded<T = JsonObject> =
  | {
      readonly kind: 'ok'
      readonly object: T
      /** `unknown field "spec.foo"`: what fieldValidation warns of or refuses */
      readonly problems: readonly string[]
    }
  | { readonly kind: 'error'; readonly message: string }

type JsonObject = { [key: string]: Json | undefined }
type Decode = (value: unknown, context: DecodeContext) => Json | undefined

/**
 * Decodes a parsed body as `type` ('core.Service', or a custom resource's). Null is no value, everywhere. What the schema
 * does not know is left out and reported.
 */
export function decodeValue<T = JsonObject>(type: TypeRef, value: unknown): Decoded<T> {
  if (typeof type !== 'string') return type.decode(value) as Decoded<T>
  const context = new DecodeContext()
  const object = objectDecoder(type)(value, context)
  if (context.failure !== undefined) return { kind: 'error', message: context.failure }
  return { kind: 'ok', object: object as T, problems: context.problems }
}

/** Decodes a list of objects: `apiVersion`, `kind`, `metadata` and `items` of `itemType`. */
export function decodeListValue<T = JsonObject>(itemType: string, value: unknown): Decoded<T> {
  const context = new DecodeContext()
  const object = listDecoder(itemType)(value, context)
  if (context.failure !== undefined) return { kind: 'error', message: context.failure }
  return { kind: 'ok', object: object as T, problems: context.problems }
}

const compiled = new Map<string, Decode>()

function objectDecoder(typeName: string): Decode {
  let decoder = compiled.get(typeName)
  if (decoder !== undefined) return decoder
  // A type may contain itself, so the name is known before its fields are compiled.
  let actual: Decode | undefined
  decoder = (value, context) => {
    actual ??= compileObject(typeName)
    return actual(value, context)
  }
  compiled.set(typeName, decoder)
  return decoder
}

function listDecoder(itemType: string): Decode {
  const name = `[${itemType}]`
  const known = compiled.get(name)
  if (known !== undefined) return known
  const text: FieldType = { kind: 'scalar', scalar: 'string' }
  const plain = { required: false, optional: false, always: false }
  const fields: Field[] = [
    { ...plain, name: 'apiVersion', number: 0, type: text },
    { ...plain, name: 'kind', number: 0, type: text },
    { ...plain, name: 'metadata', number: 1, type: { kind: 'object', type: 'meta.ListMeta' }, always: true },
    {
      ...plain,
      name: 'items',
      number: 2,
      type: { kind: 'list', element: { kind: 'object', type: itemType } },
      always: true,
    },
  ]
  const decoder = decoderOf(fields, `${itemType.slice(itemType.indexOf('.') + 1)}List`)
  compiled.set(name, decoder)
  return decoder
}

function compileObject(typeName: string): Decode {
  const type = typeNamed(typeName)
  if (type === undefined) throw new Error(`the schema has no type ${typeName}`)
  return decoderOf([...type.fields.values()], typeName.slice(typeName.indexOf('.') + 1))
}

function decoderOf(fields: readonly Field[], struct: string): Decode {
  const decoders = new Map(fields.map((field) => [field.name, compileField(field)]))
  const always = fields.filter((field) => field.always).map((field) => [field.name, zeroDecoder(field)] as const)
  const goType = `v1.${struct}`
  return (value, context) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return context.mismatch(kindOfJson(value), goType)
    const object: JsonObject = {}
    context.structs.push(struct)
    for (const name in value) {
      const item = (value as Record<string, unknown>)[name]
      const decode = decoders.get(name)
      if (decode === undefined) {
        if (Object.hasOwn(value, name)) context.unknownField(name)
        continue
      }
      if (item === null || item === undefined) continue
      context.path.push(name)
      const decoded = decode(item, context)
      context.path.pop()
      if (decoded !== undefined) object[name] = decoded
    }
    context.structs.pop()
    for (const [name, zero] of always) {
      if (object[name] !== undefined) continue
      const value = zero(context)
      if (value !== undefined) object[name] = value
    }
    return object
  }
}

/** The value of a field; undefined where it is zero and need not be there. */
function compileField(field: Field): Decode {
  const decode = decoderOfType(field.type)
  if (field.optional || field.always) return decode
  const { type } = field
  switch (type.kind) {
    case 'scalar': {
      const { scalar } = type
      return (value, context) => {
        const decoded = decode(value, context)
        return isZero(scalar, decoded) ? undefined : decoded
      }
    }
    case 'list':
      return (value, context) => {
        const decoded = decode(value, context) as readonly Json[] | undefined
        return decoded?.length === 0 ? undefined : decoded
      }
    case 'map':
      return (value, context) => {
        const decoded = decode(value, context) as JsonObject | undefined
        for (const _ in decoded) return decoded
        return undefined
      }
    case 'object':
      return decode
  }
}

function zeroDecoder({ type }: Field): (context: DecodeContext) => Json | undefined {
  switch (type.kind) {
    case 'scalar': {
      const zero = zeroOf(type.scalar)
      return () => zero
    }
    case 'list':
      return () => []
    case 'map':
      return () => ({})
    case 'object': {
      const decode = objectDecoder(type.type)
      return (context) => decode({}, context)
    }
  }
}

function decoderOfType(type: FieldType): Decode {
  switch (type.kind) {
    case 'scalar':
      return type.scalar === 'Schema' ? decodeSchema : scalarDecoders[type.scalar]
    case 'object':
      return objectDecoder(type.type)
    case 'list':
      return compileList(type.element)
    case 'map':
      return compileMap(type.value)
  }
}

/** Schemas are typed also where a boolean or a list may stand in their place. */
function decodeSchema(value: unknown, context: DecodeContext): Json | undefined {
  if (typeof value === 'boolean') return value
  const decode = objectDecoder('apiextensions.JSONSchemaProps')
  return Array.isArray(value) ? value.map((item) => decode(item, context) ?? null) : decode(value, context)
}

function compileList(element: FieldType): Decode {
  const decode = decoderOfType(element)
  const goType = `[]${goTypeOf(element)}`
  return (value, context) => {
    if (!Array.isArray(value)) return context.mismatch(kindOfJson(value), goType)
    const list: Json[] = []
    for (let at = 0; at < value.length; at++) {
      context.path.push(at)
      list.push(decode(value[at] ?? emptyOf(element), context) ?? null)
      context.path.pop()
    }
    return list
  }
}

function compileMap(element: FieldType): Decode {
  const decode = decoderOfType(element)
  const goType = `map[string]${goTypeOf(element)}`
  const isDeep = element.kind !== 'scalar'
  return (value, context) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return context.mismatch(kindOfJson(value), goType)
    const map: JsonObject = {}
    for (const key in value) {
      const item = (value as Record<string, unknown>)[key] ?? emptyOf(element)
      if (isDeep) context.path.push(key)
      const decoded = decode(item, context)
      if (isDeep) context.path.pop()
      if (decoded === undefined) continue
      // An assignment to this name would not make a key.
      if (key === '__proto__') Object.defineProperty(map, key, { value: decoded, enumerable: true, writable: true })
      else map[key] = decoded
    }
    return map
  }
}

/** What null stands for inside a list or map. */
function emptyOf(type: FieldType): unknown {
  switch (type.kind) {
    case 'scalar':
      return zeroOf(type.scalar) ?? null
    case 'list':
      return []
    default:
      return {}
  }
}

function goTypeOf(type: FieldType): string {
  switch (type.kind) {
    case 'scalar':
      return goScalars[type.scalar as keyof typeof goScalars] ?? type.scalar
    case 'object':
      return `v1.${type.type.slice(type.type.indexOf('.') + 1)}`
    case 'list':
      return `[]${goTypeOf(type.element)}`
    case 'map':
      return `map[string]${goTypeOf(type.value)}`
  }
}

const goScalars = {
  double: 'float64',
  bytes: '[]uint8',
  Time: 'v1.Time',
  MicroTime: 'v1.MicroTime',
  Quantity: 'resource.Quantity',
  IntOrString: 'intstr.IntOrString',
  Raw: 'runtime.RawExtension',
  Fields: 'v1.FieldsV1',
  JSON: 'v1.JSON',
  Schema: 'v1.JSONSchemaProps',
}

// The one schema of the Kubernetes API (release 1.36): types, numbers and merge rules of every served field.
//
// Each file beside this one is a table: type name -> field name -> row. A row is
//
//   NUMBER TYPE[?][!] [always] [merge=KEY] [patch=STRATEGY] [list=set|map|atomic] [keys=A,B] [map=atomic|granular] [default=V]
//   NUMBER inline TYPE
//
// NUMBER is the protobuf field number (0: not in protobuf). TYPE is a scalar, a type of the same group, `group.Type`,
// `[TYPE]` for a list or `{TYPE}` for a map from strings; `?` says that a value of zero differs from no value, `!` that
// OpenAPI requires the field. What is not `?` is left out when it is zero, unless it is `!`, `always` or an object:
// those stand in every object, with their zero value. `inline` marks a protobuf message whose fields stand in the JSON
// object itself. A type with the row `'@': 'atomic'` is replaced whole by server-side apply. TypeScript types, decoding,
// pruning, protobuf, OpenAPI, strategic merge and apply all read these rows, so a field is written once. Facts: OpenAPI
// v3, generated.proto and the Go types of Kubernetes 1.36.2.

import { apiextensions } from '#api/schema/apiextensions.ts'
import { apiregistration } from '#api/schema/apiregistration.ts'
import { apps } from '#api/schema/apps.ts'
import { authentication } from '#api/schema/authentication.ts'
import { authorization } from '#api/schema/authorization.ts'
import { autoscaling } from '#api/schema/autoscaling.ts'
import { batch } from '#api/schema/batch.ts'
import { certificates } from '#api/schema/certificates.ts'
import { coordination } from '#api/schema/coordination.ts'
import { coreConfig } from '#api/schema/core-config.ts'
import { coreContainer } from '#api/schema/core-container.ts'
import { coreNode } from '#api/schema/core-node.ts'
import { corePod } from '#api/schema/core-pod.ts'
import { coreService } from '#api/schema/core-service.ts'
import { coreVolumeSource } from '#api/schema/core-volume-source.ts'
import { coreVolume } from '#api/schema/core-volume.ts'
import { discovery } from '#api/schema/discovery.ts'
import { events } from '#api/schema/events.ts'
import { meta } from '#api/schema/meta.ts'
import { networking } from '#api/schema/networking.ts'
import { policy } from '#api/schema/policy.ts'
import { rbac } from '#api/schema/rbac.ts'
import { scheduling } from '#api/schema/scheduling.ts'
import { storage } from '#api/schema/storage.ts'

export const schema = {
  meta,
  core: {
    ...corePod,
    ...coreContainer,
    ...coreVolume,
    ...coreVolumeSource,
    ...coreNode,
    ...coreService,
    ...coreConfig,
  },
  apiextensions,
  apiregistration,
  apps,
  authentication,
  authorization,
  autoscaling,
  batch,
  certificates,
  coordination,
  discovery,
  events,
  networking,
  policy,
  rbac,
  scheduling,
  storage,
} as const

type Schema = typeof schema

/** The schema's short name of an API group: `core` for the legacy group, else the first label of its DNS name. */
export type SchemaGroup = keyof Schema

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** The TypeScript type of each scalar word of a row, as it stands in JSON. */
export type Scalars = {
  string: string
  int32: number
  int64: number
  double: number
  bool: boolean
  /** base64 */
  bytes: string
  /** RFC 3339, whole seconds, UTC */
  Time: string
  /** RFC 3339, microseconds, UTC */
  MicroTime: string
  /** a number and a suffix, as '500m' or '30Gi' */
  Quantity: string
  IntOrString: number | string
  /** any JSON object, kept as it is */
  Raw: { readonly [key: string]: Json | undefined }
  /** a set of field paths in the form of managedFields */
  Fields: { readonly [key: string]: Json | undefined }
  JSON: Json
  /** a JSONSchemaProps, several of them, or a boolean */
  Schema: Json
}

type Word<Row> = Row extends `${number} ${infer W} ${string}` ? W : Row extends `${number} ${infer W}` ? W : never
type IsInline<Row> = Row extends `${number} inline ${string}` ? true : false
type IsRequired<Row> = Word<Row> extends `${string}!` ? true : false
type Decode<G extends SchemaGroup, W> = W extends `${infer Bare}!` | `${infer Bare}?`
  ? Decode<G, Bare>
  : W extends `[${infer Element}]`
    ? readonly Decode<G, Element>[]
    : W extends `{${infer Value}}`
      ? { readonly [key: string]: Decode<G, Value> }
      : W extends keyof Scalars
        ? Scalars[W]
        : W extends `${infer G2 extends SchemaGroup}.${infer N}`
          ? Typed<G2, N>
          : Typed<G, W>

type Plain<T> = { [F in keyof T as F extends '@' ? never : IsInline<T[F]> extends true ? never : F]: T[F] }
type Inlined<G extends SchemaGroup, T> = {
  [F in keyof T]: T[F] extends `${number} inline ${infer N}`
    ? N extends keyof Schema[G]
      ? Plain<Schema[G][N]>
      : never
    : never
}[keyof T]
type Union2Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never
type Rows<G extends SchemaGroup, T> = [Inlined<G, T>] extends [never]
  ? Plain<T>
  : Plain<T> & Union2Intersection<Inlined<G, T>>

/** The JSON form of a type of the schema: `Typed<'core', 'ServiceSpec'>`. */
export type Typed<G extends SchemaGroup, N> = N extends keyof Schema[G] ? Fields<G, Rows<G, Schema[G][N]>> : never
type Fields<G extends SchemaGroup, T> = {
  readonly [F in keyof T as IsRequired<T[F]> extends true ? F : never]: Decode<G, Word<T[F]>>
} & {
  readonly [F in keyof T as IsRequired<T[F]> extends true ? never : F]?: Decode<G, Word<T[F]>>
}

/** What a value of a field is made of. */
export type FieldType =
  | { readonly kind: 'scalar'; readonly scalar: keyof Scalars }
  | { readonly kind: 'object'; readonly type: string }
  | { readonly kind: 'list'; readonly element: FieldType }
  | { readonly kind: 'map'; readonly value: FieldType }

/** One field of a type, as read from its row. */
export type Field = {
  readonly name: string
  /** protobuf number; 0: not in protobuf */
  readonly number: number
  readonly type: FieldType
  /** OpenAPI demands it */
  readonly required: boolean
  /** zero differs from no value (a pointer, to Kubernetes) */
  readonly optional: boolean
  /** stands in every object, with its zero value where it has no other */
  readonly always: boolean
  /** strategic merge: the key of list elements */
  readonly mergeKey?: string
  /** strategic merge: `merge`, `replace`, `retainKeys` or two of them */
  readonly patchStrategy?: string
  readonly listType?: 'set' | 'map' | 'atomic'
  readonly listKeys?: readonly string[]
  readonly mapType?: 'atomic' | 'granular'
  readonly default?: string
  /** the protobuf message (its field name and number) that holds this field, where JSON has it inline */
  readonly inline?: { readonly name: string; readonly number: number }
}

/** A type of the schema. `name` is `group.Type`. */
export type ObjectType = {
  readonly name: string
  readonly fields: ReadonlyMap<string, Field>
  readonly atomic: boolean
}

const scalarWords = new Set([
  'string',
  'int32',
  'int64',
  'double',
  'bool',
  'bytes',
  'Time',
  'MicroTime',
  'Quantity',
  'IntOrString',
  'Raw',
  'Fields',
  'JSON',
  'Schema',
])

const parsed = new Map<string, ObjectType>()

/** The type called `group.Type`, or undefined. Types are read from their rows at first use. */
export function typeNamed(name: string): ObjectType | undefined {
  const known = parsed.get(name)
  if (known !== undefined) return known
  const dot = name.indexOf('.')
  const group = name.slice(0, dot)
  const tables = schema as unknown as Record<string, Record<string, Record<string, string>> | undefined>
  const rows = tables[group]?.[name.slice(dot + 1)]
  if (rows === undefined) return undefined
  const fields = new Map<string, Field>()
  for (const [field, row] of Object.entries(rows)) {
    if (field === '@') continue
    const words = row.split(' ')
    if (words[1] !== 'inline') {
      fields.set(field, parseRow(group, field, words))
      continue
    }
    const inline = { name: field, number: Number(words[0]) }
    for (const inner of typeNamed(`${group}.${words[2]}`)?.fields.values() ?? [])
      fields.set(inner.name, { ...inner, inline })
  }
  const type = { name, fields, atomic: rows['@'] === 'atomic' }
  parsed.set(name, type)
  return type
}

/** Every type name of the schema, `group.Type`. */
export function typeNames(): string[] {
  return Object.entries(schema).flatMap(([group, types]) => Object.keys(types).map((type) => `${group}.${type}`))
}

function parseRow(group: string, name: string, words: readonly string[]): Field {
  const [, word = '', pointer, exclamation] = /^(.*?)(\?)?(!)?$/.exec(words[1] ?? '')!
  const type = parseType(group, word)
  const required = exclamation !== undefined
  const optional = pointer !== undefined
  const field: { -readonly [K in keyof Field]: Field[K] } = {
    name,
    number: Number(words[0]),
    type,
    required,
    optional,
    always: !optional && (required || type.kind === 'object' || words[2] === 'always'),
  }
  for (const attribute of words.slice(words[2] === 'always' ? 3 : 2)) {
    const at = attribute.indexOf('=')
    const value = attribute.slice(at + 1)
    switch (attribute.slice(0, at)) {
      case 'merge':
        field.mergeKey = value
        field.patchStrategy ??= 'merge'
        break
      case 'patch':
        field.patchStrategy = value
        break
      case 'list':
        field.listType = value as 'set' | 'map' | 'atomic'
        break
      case 'keys':
        field.listKeys = value.split(',')
        break
      case 'map':
        field.mapType = value as 'atomic' | 'granular'
        break
      case 'default':
        field.default = value
        break
      default:
        throw new Error(`schema: ${group}: field ${name}: unknown attribute ${attribute}`)
    }
  }
  return field
}

function parseType(group: string, word: string): FieldType {
  if (word.startsWith('[')) return { kind: 'list', element: parseType(group, word.slice(1, -1)) }
  if (word.startsWith('{')) return { kind: 'map', value: parseType(group, word.slice(1, -1)) }
  if (scalarWords.has(word)) return { kind: 'scalar', scalar: word as keyof Scalars }
  return { kind: 'object', type: word.includes('.') ? word : `${group}.${word}` }
}

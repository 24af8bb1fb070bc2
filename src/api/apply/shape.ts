// What a value is to server-side apply: which lists and maps are owned element by element, and which only as a whole.
// The rules are those of the OpenAPI extensions (x-kubernetes-list-type, -list-map-keys, -map-type) as
// structured-merge-diff reads them.

import type { TypeRef } from '#api/type-ref.ts'
import { isJsonObject } from '#api/apply/json-value.ts'
import { type Field, type FieldType, type Scalars, typeNamed } from '#api/schema/schema.ts'

export type Shape =
  | { readonly kind: 'scalar'; readonly accepts: 'number' | 'string' | 'boolean' | 'any' }
  /** owned as a whole, whatever it is: raw JSON */
  | { readonly kind: 'opaque' }
  /** nothing is said of it: what the value is says how it is owned */
  | { readonly kind: 'any' }
  | { readonly kind: 'struct'; readonly isAtomic: boolean; field(name: string): Shape | undefined }
  | { readonly kind: 'map'; readonly isAtomic: boolean; readonly value: Shape }
  | {
      readonly kind: 'list'
      readonly how: 'atomic' | 'set' | 'map'
      readonly element: Shape
      readonly keys: readonly ListKey[]
    }

/** A field that tells the elements of a list apart, and what counts where an element does not have it. */
export type ListKey = { readonly name: string; readonly default?: string | number | boolean }

const known = new Map<string, Shape>()

/** The shape of a type of the schema ('core.Service'), or of a custom resource. */
export function shapeOf(type: TypeRef): Shape {
  return typeof type === 'string' ? shapeNamed(type) : type.shape
}

export const anyShape: Shape = { kind: 'any' }
const anyMap: Shape = { kind: 'map', isAtomic: false, value: anyShape }
const anyList: Shape = { kind: 'list', how: 'atomic', element: anyShape, keys: [] }

/** How these values of a shape are owned: objects member by member, lists as a whole. */
export function shapeFor(shape: Shape, ...values: readonly unknown[]): Exclude<Shape, { kind: 'any' }> {
  if (shape.kind !== 'any') return shape
  const deduced = values.some(isJsonObject) ? anyMap : values.some(Array.isArray) ? anyList : any
  return deduced as Exclude<Shape, { kind: 'any' }>
}

function shapeNamed(typeName: string): Shape {
  const found = known.get(typeName)
  if (found !== undefined) return found
  const type = typeNamed(typeName)
  if (type === undefined) throw new Error(`the schema has no type ${typeName}`)
  const fields = new Map<string, Shape>()
  const shape: Shape = {
    kind: 'struct',
    isAtomic: type.atomic,
    field(name) {
      let shape = fields.get(name)
      const field = shape === undefined ? type.fields.get(name) : undefined
      if (field !== undefined) fields.set(name, (shape = shapeOfField(field)))
      return shape
    },
  }
  known.set(typeName, shape)
  return shape
}

function shapeOfField(field: Field): Shape {
  const { type, listType = 'atomic', listKeys = [], mapType } = field
  switch (type.kind) {
    case 'list':
      return {
        kind: 'list',
        how: listType,
        element: shapeOfType(type.element),
        keys: listKeys.map((name) => listKey(type.element, name)),
      }
    case 'map':
      return { kind: 'map', isAtomic: mapType === 'atomic', value: shapeOfType(type.value) }
    case 'object': {
      const shape = shapeOf(type.type)
      return mapType === 'atomic' && shape.kind === 'struct' ? { ...shape, isAtomic: true } : shape
    }
    case 'scalar':
      return shapeOfType(type)
  }
}

function shapeOfType(type: FieldType): Shape {
  switch (type.kind) {
    case 'scalar':
      return scalarShapes[type.scalar]
    case 'object':
      return shapeOf(type.type)
    case 'list':
      return { kind: 'list', how: 'atomic', element: shapeOfType(type.element), keys: [] }
    case 'map':
      return { kind: 'map', isAtomic: false, value: shapeOfType(type.value) }
  }
}

function listKey(element: FieldType, name: string): ListKey {
  const field = element.kind === 'object' ? typeNamed(element.type)?.fields.get(name) : undefined
  if (field === undefined) throw new Error(`the schema has a list with keys whose elements have no field ${name}`)
  const isText = field.type.kind === 'scalar' && field.type.scalar === 'string'
  const text = field.default ?? (isText && field.always ? '' : undefined)
  if (text === undefined) return { name }
  return { name, default: isText ? text : (JSON.parse(text) as number | boolean) }
}

const text: Shape = { kind: 'scalar', accepts: 'string' }
const number: Shape = { kind: 'scalar', accepts: 'number' }
const opaque: Shape = { kind: 'opaque' }
const any: Shape = { kind: 'scalar', accepts: 'any' }
const scalarShapes: Readonly<Record<keyof Scalars, Shape>> = {
  string: text,
  bytes: text,
  Time: text,
  MicroTime: text,
  int32: number,
  int64: number,
  double: number,
  bool: { kind: 'scalar', accepts: 'boolean' },
  Quantity: any,
  IntOrString: any,
  Raw: opaque,
  Fields: opaque,
  JSON: opaque,
  Schema: opaque,
}

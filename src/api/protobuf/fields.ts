// The protobuf side of the schema: the fields of a message by number. A message that stands inline in JSON is a field of
// its own here.

import { type Field, type FieldType, type ObjectType, typeNamed } from '#api/schema/schema.ts'

export type MessageField =
  | { readonly kind: 'plain'; readonly name: string; readonly number: number; readonly type: FieldType }
  | { readonly kind: 'inline'; readonly number: number; readonly fields: readonly MessageField[] }

const known = new Map<string, readonly MessageField[]>()

/** The fields of a type ('core.Pod') that protobuf has, in the order of their numbers. */
export function messageFields(typeName: string): readonly MessageField[] {
  const found = known.get(typeName)
  if (found !== undefined) return found
  const type = typeNamed(typeName)
  if (type === undefined) throw new Error(`the schema has no type ${typeName}`)
  const fields = fieldsOf(type)
  known.set(typeName, fields)
  return fields
}

/** The fields of a list of objects: what every list has, and its items. */
export function listFields(itemType: string): readonly MessageField[] {
  return [
    { kind: 'plain', name: 'metadata', number: 1, type: { kind: 'object', type: 'meta.ListMeta' } },
    { kind: 'plain', name: 'items', number: 2, type: { kind: 'list', element: { kind: 'object', type: itemType } } },
  ]
}

function fieldsOf(type: ObjectType): MessageField[] {
  const fields: MessageField[] = []
  const inline = new Map<number, MessageField[]>()
  for (const field of type.fields.values()) {
    if (field.number === 0) continue
    if (field.inline === undefined) {
      fields.push(plain(field))
      continue
    }
    let inner = inline.get(field.inline.number)
    if (inner === undefined) {
      inner = []
      inline.set(field.inline.number, inner)
      fields.push({ kind: 'inline', number: field.inline.number, fields: inner })
    }
    inner.push(plain(field))
  }
  const byNumber = (a: MessageField, b: MessageField) => a.number - b.number
  for (const inner of inline.values()) inner.sort(byNumber)
  return fields.sort(byNumber)
}

const plain = ({ name, number, type }: Field): MessageField => ({ kind: 'plain', name, number, type })

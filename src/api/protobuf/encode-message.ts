// From the JSON form of objects to protobuf messages, by the schema. What the schema does not know is left out.

import { listFields, type MessageField, messageFields } from '#api/protobuf/fields.ts'
import { WireWriter } from '#lib/protobuf-wire.ts'
import type { FieldType } from '#api/schema/schema.ts'

type JsonObject = { readonly [key: string]: unknown }

/** Encodes an object of `typeName` ('core.Pod'). The object must be one that decodeValue gave. */
export function encodeMessage(typeName: string, object: JsonObject): Uint8Array {
  return encode(messageFields(typeName), object)
}

/** Encodes a list kind, as `PodList`. */
export function encodeListMessage(itemType: string, list: JsonObject): Uint8Array {
  return encode(listFields(itemType), list)
}

function encode(fields: readonly MessageField[], object: JsonObject): Uint8Array {
  const writer = new WireWriter()
  writeFields(writer, fields, object)
  return writer.done()
}

function writeFields(writer: WireWriter, fields: readonly MessageField[], object: JsonObject): void {
  for (const field of fields) {
    if (field.kind === 'inline') {
      writer.messageField(field.number, () => writeFields(writer, field.fields, object))
      continue
    }
    const value = object[field.name]
    if (value !== undefined && value !== null) writeField(writer, field.number, field.type, value)
  }
}

function writeField(writer: WireWriter, number: number, type: FieldType, value: unknown): void {
  switch (type.kind) {
    case 'scalar':
      writeScalar(writer, number, type.scalar, value)
      return
    case 'object':
      writer.messageField(number, () => writeFields(writer, messageFields(type.type), value as JsonObject))
      return
    case 'list':
      for (const element of value as readonly unknown[]) writeField(writer, number, type.element, element)
      return
    case 'map':
      for (const [key, item] of Object.entries(value as JsonObject))
        writer.messageField(number, () => {
          writer.textField(1, key)
          // A map of lists is a map of messages with items.
          if (type.value.kind === 'list') writer.messageField(2, () => writeField(writer, 1, type.value, item))
          else writeField(writer, 2, type.value, item)
        })
  }
}

function writeScalar(writer: WireWriter, number: number, scalar: string, value: unknown): void {
  switch (scalar) {
    case 'string':
      writer.textField(number, value as string)
      return
    case 'bool':
      writer.integerField(number, value === true ? 1 : 0)
      return
    case 'int32':
    case 'int64':
      writer.integerField(number, value as number)
      return
    case 'double':
      writer.doubleField(number, value as number)
      return
    case 'bytes':
      writer.bytesField(number, fromBase64(value as string))
      return
    case 'Time':
    case 'MicroTime':
      writer.messageField(number, () => writeTime(writer, value as string))
      return
    case 'Quantity':
      writer.messageField(number, () => writer.textField(1, value as string))
      return
    case 'IntOrString':
      writer.messageField(number, () => {
        writer.integerField(1, typeof value === 'string' ? 1 : 0)
        writer.integerField(2, typeof value === 'string' ? 0 : (value as number))
        writer.textField(3, typeof value === 'string' ? value : '')
      })
      return
    default:
      writer.messageField(number, () => writer.textField(1, JSON.stringify(value)))
  }
}

function writeTime(writer: WireWriter, text: string): void {
  const fraction = /\.(\d+)Z$/.exec(text)?.[1] ?? '0'
  writer.integerField(1, Math.floor(Date.parse(text) / 1000))
  writer.integerField(2, Number(fraction.padEnd(9, '0').slice(0, 9)))
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}

// From protobuf messages to the JSON form of objects, by the schema. What the schema does not know is skipped.

import { ok, type Result, wrong } from '#api/result.ts'
import { listFields, type MessageField, messageFields } from '#api/protobuf/fields.ts'
import { bytesType, WireError, type WireReader, WireReader as Reader } from '#lib/protobuf-wire.ts'
import type { FieldType, Scalars } from '#api/schema/schema.ts'
import { formatMicroTime, formatTime } from '#api/time.ts'

type JsonObject = Record<string, unknown>
type Read = (reader: WireReader, object: JsonObject) => void

/**
 * Decodes a message of `typeName` ('core.Pod') to JSON, where numbers and texts that are zero stand as such: decodeValue
 * makes an object of it. A wrong message is an error, whatever its bytes are.
 */
export function decodeMessage(typeName: string, bytes: Uint8Array): Result<JsonObject> {
  return decode(
    readersOf(typeName, () => messageFields(typeName)),
    bytes,
  )
}

/** Decodes a list kind, as `PodList`. */
export function decodeListMessage(itemType: string, bytes: Uint8Array): Result<JsonObject> {
  return decode(
    readersOf(`[${itemType}]`, () => listFields(itemType)),
    bytes,
  )
}

function decode(readers: ReadonlyMap<number, Read>, bytes: Uint8Array): Result<JsonObject> {
  try {
    return ok(readMessage(new Reader(bytes), readers))
  } catch (error) {
    if (error instanceof WireError) return wrong(error.message)
    throw error
  }
}

const known = new Map<string, ReadonlyMap<number, Read>>()

function readersOf(name: string, fields: () => readonly MessageField[]): ReadonlyMap<number, Read> {
  const found = known.get(name)
  if (found !== undefined) return found
  const readers = new Map<number, Read>()
  // Known before its fields are compiled: a type may contain itself.
  known.set(name, readers)
  for (const field of fields()) readers.set(field.number, compileField(field))
  return readers
}

function readMessage(reader: WireReader, readers: ReadonlyMap<number, Read>, object: JsonObject = {}): JsonObject {
  while (reader.next()) {
    const read = readers.get(reader.field)
    if (read === undefined) reader.skip()
    else read(reader, object)
  }
  return object
}

function compileField(field: MessageField): Read {
  if (field.kind === 'inline') {
    const readers = new Map(field.fields.map((inner) => [inner.number, compileField(inner)]))
    return (reader, object) => {
      expectBytes(reader)
      readMessage(reader.message(), readers, object)
    }
  }
  const { name, type } = field
  switch (type.kind) {
    case 'scalar':
    case 'object': {
      const read = compileValue(type)
      return (reader, object) => {
        const value = read(reader)
        if (value !== undefined) object[name] = value
      }
    }
    case 'list':
      return compileList(name, type.element)
    case 'map':
      return compileMap(name, type.value)
  }
}

function compileList(name: string, element: FieldType): Read {
  const read = compileValue(element)
  const isNumber = element.kind === 'scalar' && ['int32', 'int64', 'bool', 'double'].includes(element.scalar)
  return (reader, object) => {
    const list = (object[name] ??= []) as unknown[]
    if (!isNumber || reader.type !== bytesType) {
      list.push(read(reader) ?? null)
      return
    }
    const packed = reader.message()
    packed.type = element.scalar === 'double' ? 1 : 0
    while (packed.hasMore) list.push(read(packed))
  }
}

/** A map is a list of messages of a key (1) and a value (2). A value that is a list is a message of its items (1). */
function compileMap(name: string, value: FieldType): Read {
  const read =
    value.kind === 'list'
      ? (reader: WireReader) =>
          readMessage(messageIn(reader), new Map([[1, compileList('items', value.element)]]))['items'] ?? []
      : compileValue(value)
  return (reader, object) => {
    const entry = messageIn(reader)
    const map = (object[name] ??= {}) as JsonObject
    let key = ''
    let found: unknown
    while (entry.next()) {
      if (entry.field === 1) key = textIn(entry)
      else if (entry.field === 2) found = read(entry)
      else entry.skip()
    }
    // Absent: the value is zero, which decodeValue makes of null.
    Object.defineProperty(map, key, { value: found ?? null, enumerable: true, writable: true, configurable: true })
  }
}

function compileValue(type: FieldType): (reader: WireReader) => unknown {
  if (type.kind === 'scalar') return scalarReaders[type.scalar]
  if (type.kind === 'object') {
    const { type: name } = type
    return (reader) =>
      readMessage(
        messageIn(reader),
        readersOf(name, () => messageFields(name)),
      )
  }
  throw new Error(`protobuf has no ${type.kind} inside a list`)
}

const scalarReaders: Readonly<Record<keyof Scalars, (reader: WireReader) => unknown>> = {
  string: textIn,
  bool: (reader) => integerIn(reader) !== 0,
  int32: (reader) => integerIn(reader) | 0,
  int64: integerIn,
  double: (reader) => {
    expect(reader, 1)
    return reader.double()
  },
  bytes: (reader) => toBase64(bytesIn(reader)),
  Time: (reader) => {
    const { seconds } = timestampIn(reader)
    return seconds === 0 ? undefined : timeOf(() => formatTime(seconds * 1000))
  },
  MicroTime: (reader) => {
    const { seconds, nanos } = timestampIn(reader)
    const micros = String(Math.floor(nanos / 1000)).padStart(6, '0')
    return seconds === 0 && nanos === 0
      ? undefined
      : timeOf(() => formatMicroTime(seconds * 1000).replace(/\d{6}Z$/, `${micros}Z`))
  },
  Quantity: (reader) => texts(messageIn(reader))[1] ?? '0',
  IntOrString: (reader) => {
    const message = messageIn(reader)
    let isText = false
    let number = 0
    let text = ''
    while (message.next()) {
      if (message.field === 1) isText = integerIn(message) === 1
      else if (message.field === 2) number = integerIn(message) | 0
      else if (message.field === 3) text = textIn(message)
      else message.skip()
    }
    return isText ? text : number
  },
  Raw: rawIn,
  Fields: rawIn,
  JSON: rawIn,
  Schema: rawIn,
}

function timestampIn(reader: WireReader): { readonly seconds: number; readonly nanos: number } {
  const message = messageIn(reader)
  let seconds = 0
  let nanos = 0
  while (message.next()) {
    if (message.field === 1) seconds = integerIn(message)
    else if (message.field === 2) nanos = integerIn(message) | 0
    else message.skip()
  }
  if (nanos < 0 || nanos > 999999999) throw new WireError('proto: nanos of a time out of range')
  return { seconds, nanos }
}

function timeOf(format: () => string): string {
  const text = safely(format)
  // Years before 0 and after 9999 have other forms, which no Time can hold.
  if (text === undefined || !/^\d{4}-/.test(text)) throw new WireError('proto: time out of range')
  return text
}

/** JSON inside a message: field 1 of it. */
function rawIn(reader: WireReader): unknown {
  const text = texts(messageIn(reader))[1]
  if (text === undefined || text === '') return undefined
  const value = safely(() => [JSON.parse(text)] as const)
  if (value === undefined) throw new WireError('proto: raw value is not JSON')
  return value[0]
}

function safely<T>(get: () => T): T | undefined {
  try {
    return get()
  } catch {
    return undefined
  }
}

/** The texts of a message, by field. */
function texts(message: WireReader): string[] {
  const found: string[] = []
  while (message.next())
    if (message.type === bytesType && message.field < 8) found[message.field] = message.text()
    else message.skip()
  return found
}

function expect(reader: WireReader, type: number): void {
  if (reader.type !== type) throw new WireError(`proto: wrong wireType = ${reader.type} for field ${reader.field}`)
}

const expectBytes = (reader: WireReader) => expect(reader, bytesType)

function messageIn(reader: WireReader): WireReader {
  expectBytes(reader)
  return reader.message()
}

function bytesIn(reader: WireReader): Uint8Array {
  expectBytes(reader)
  return reader.bytes()
}

function textIn(reader: WireReader): string {
  expectBytes(reader)
  return reader.text()
}

function integerIn(reader: WireReader): number {
  expect(reader, 0)
  return reader.integer()
}

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}

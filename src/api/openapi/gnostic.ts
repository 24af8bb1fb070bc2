// The OpenAPI 2 document as a protobuf message, in the form in which kubectl up to 1.28 asks for it
// (application/com.github.proto-openapi.spec.v2@v1.0+protobuf; field numbers: gnostic's OpenAPIv2.proto).

import type { JsonObject } from '#api/openapi/definitions.ts'
import { WireWriter } from '#lib/protobuf-wire.ts'

export const gnosticMediaType = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'

/** Encodes what openApiV2Document gives; other documents may use words that are left out here. */
export function encodeGnostic(document: JsonObject): Uint8Array {
  const writer = new WireWriter()
  writer.textField(1, String(document['swagger']))
  const { title, version } = document['info'] as { title: string; version: string }
  writer.messageField(2, () => {
    writer.textField(1, title)
    writer.textField(2, version)
  })
  writer.messageField(8, () => named(writer, 2, document['paths'], writePath))
  writer.messageField(9, () => named(writer, 1, document['definitions'], writeSchema))
  return writer.done()
}

type Write = (writer: WireWriter, value: JsonObject) => void

/** Members of a JSON object as a list of messages of a name (1) and a value (2). */
function named(writer: WireWriter, field: number, object: unknown, write: Write): void {
  for (const [name, value] of Object.entries(object as JsonObject))
    writer.messageField(field, () => {
      writer.textField(1, name)
      writer.messageField(2, () => write(writer, value as JsonObject))
    })
}

const methods: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 }

function writePath(writer: WireWriter, path: JsonObject): void {
  for (const [method, number] of Object.entries(methods))
    if (path[method] !== undefined)
      writer.messageField(number, () => writeOperation(writer, path[method] as JsonObject))
  for (const parameter of path['parameters'] as JsonObject[])
    writer.messageField(9, () => writeParameter(writer, parameter))
}

function writeOperation(writer: WireWriter, operation: JsonObject): void {
  writer.textField(5, operation['operationId'] as string)
  for (const type of operation['produces'] as string[]) writer.textField(6, type)
  for (const type of operation['consumes'] as string[]) writer.textField(7, type)
  for (const parameter of operation['parameters'] as JsonObject[])
    writer.messageField(8, () => writeParameter(writer, parameter))
  writer.messageField(9, () => named(writer, 1, operation['responses'], writeResponse))
  for (const scheme of operation['schemes'] as string[]) writer.textField(10, scheme)
  writeExtensions(writer, 13, operation)
}

/** Parameter inside ParametersItem: body parameters, and those of path and query. */
function writeParameter(writer: WireWriter, parameter: JsonObject): void {
  const { name, in: where, required, type, schema, uniqueItems } = parameter
  writer.messageField(1, () => {
    if (where === 'body') {
      writer.messageField(1, () => {
        writer.textField(2, name as string)
        writer.textField(3, where)
        if (required === true) writer.integerField(4, 1)
        writer.messageField(5, () => writeSchema(writer, schema as JsonObject))
      })
      return
    }
    const isPath = where === 'path'
    writer.messageField(2, () =>
      writer.messageField(isPath ? 4 : 3, () => {
        if (required === true) writer.integerField(1, 1)
        writer.textField(2, where as string)
        writer.textField(4, name as string)
        writer.textField(isPath ? 5 : 6, type as string)
        if (uniqueItems === true) writer.integerField(isPath ? 19 : 20, 1)
      }),
    )
  })
}

function writeResponse(writer: WireWriter, { description, schema }: JsonObject): void {
  writer.messageField(1, () => {
    writer.textField(1, description as string)
    if (schema !== undefined)
      writer.messageField(2, () => writer.messageField(1, () => writeSchema(writer, schema as JsonObject)))
  })
}

function writeSchema(writer: WireWriter, schema: JsonObject): void {
  const { $ref, format, required, additionalProperties, type, items, properties } = schema
  if ($ref !== undefined) writer.textField(1, $ref as string)
  if (format !== undefined) writer.textField(2, format as string)
  for (const name of (required as string[] | undefined) ?? []) writer.textField(19, name)
  if (additionalProperties !== undefined)
    writer.messageField(21, () => writer.messageField(1, () => writeSchema(writer, additionalProperties as JsonObject)))
  if (type !== undefined) writer.messageField(22, () => writer.textField(1, type as string))
  if (items !== undefined)
    writer.messageField(23, () => writer.messageField(1, () => writeSchema(writer, items as JsonObject)))
  if (properties !== undefined) writer.messageField(25, () => named(writer, 1, properties, writeSchema))
  writeExtensions(writer, 31, schema)
}

/** Extensions are YAML, which JSON is too. */
function writeExtensions(writer: WireWriter, field: number, object: JsonObject): void {
  for (const [name, value] of Object.entries(object))
    if (name.startsWith('x-'))
      writer.messageField(field, () => {
        writer.textField(1, name)
        writer.messageField(2, () => writer.textField(2, `${JSON.stringify(value)}\n`))
      })
}

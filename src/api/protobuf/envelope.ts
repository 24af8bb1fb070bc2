// The envelope of protobuf bodies: the bytes `k8s\0`, then a message runtime.Unknown with the object's apiVersion and
// kind and its own message as bytes.

import { ok, type Result, wrong } from '#api/result.ts'
import { bytesType, WireError, WireReader, WireWriter } from '#lib/protobuf-wire.ts'
import { concat } from '#lib/bytes.ts'

export type Envelope = {
  /** '' where the sender does not say */
  readonly apiVersion: string
  readonly kind: string
  /** the object's message */
  readonly raw: Uint8Array
}

export const protobufMediaType = 'application/vnd.kubernetes.protobuf'

const magic = [0x6b, 0x38, 0x73, 0x00]

export function openEnvelope(bytes: Uint8Array): Result<Envelope> {
  if (!magic.every((byte, at) => bytes[at] === byte))
    return wrong('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  try {
    return ok(readUnknown(new WireReader(bytes, magic.length)))
  } catch (error) {
    if (error instanceof WireError) return wrong(error.message)
    throw error
  }
}

function readUnknown(reader: WireReader): Envelope {
  let apiVersion = ''
  let kind = ''
  let raw = new Uint8Array()
  while (reader.next()) {
    if (reader.type !== bytesType) reader.skip()
    else if (reader.field === 1) {
      const typeMeta = reader.message()
      while (typeMeta.next()) {
        if (typeMeta.type !== bytesType) typeMeta.skip()
        else if (typeMeta.field === 1) apiVersion = typeMeta.text()
        else if (typeMeta.field === 2) kind = typeMeta.text()
        else typeMeta.skip()
      }
    } else if (reader.field === 2) raw = new Uint8Array(reader.bytes())
    else reader.skip()
  }
  return { apiVersion, kind, raw }
}

export function closeEnvelope({ apiVersion, kind, raw }: Envelope): Uint8Array {
  const writer = new WireWriter()
  writer.messageField(1, () => {
    writer.textField(1, apiVersion)
    writer.textField(2, kind)
  })
  writer.bytesField(2, raw)
  writer.textField(3, '')
  writer.textField(4, '')
  return concat(Uint8Array.from(magic), writer.done())
}

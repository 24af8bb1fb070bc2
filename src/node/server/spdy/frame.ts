// The frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2): what kubectl's exec and attach speak before 1.30, and
// port-forward in every version. Header blocks stay compressed here.

import { concat } from '#lib/bytes.ts'

export type Frame =
  | { readonly kind: 'synStream'; readonly id: number; readonly isFin: boolean; readonly block: Uint8Array }
  | { readonly kind: 'synReply'; readonly id: number; readonly isFin: boolean; readonly block: Uint8Array }
  | { readonly kind: 'headers'; readonly id: number; readonly isFin: boolean; readonly block: Uint8Array }
  | { readonly kind: 'reset'; readonly id: number; readonly status: number }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'goAway'; readonly lastId: number }
  /** a frame's data, or a part of it: `isFin` comes with its last part */
  | { readonly kind: 'data'; readonly id: number; readonly isFin: boolean; readonly data: Uint8Array }

const types = { synStream: 1, synReply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const
const isControl = 0x8000
const version = 3
const fin = 1
const headerSize = 8
/** No control frame that is of use here comes near it. */
const mostControl = 64 * 1024

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'synStream':
      return control(frame, [frame.id, 0], Uint8Array.of(0, 0), frame.block)
    case 'synReply':
    case 'headers':
      return control(frame, [frame.id], frame.block)
    case 'reset':
      return control(frame, [frame.id, frame.status])
    case 'ping':
      return control(frame, [frame.id])
    case 'goAway':
      return control(frame, [frame.lastId, 0])
    case 'data':
      return concat(header(frame.id, frame.isFin ? fin : 0, frame.data.length), frame.data)
  }
}

function control(frame: Exclude<Frame, { kind: 'data' }>, numbers: readonly number[], ...rest: Uint8Array[]) {
  const fixed = new Uint8Array(numbers.length * 4)
  numbers.forEach((number, index) => new DataView(fixed.buffer).setUint32(index * 4, number))
  const body = concat(fixed, ...rest)
  const first = ((isControl | version) << 16) | types[frame.kind]
  return concat(header(first, 'isFin' in frame && frame.isFin ? fin : 0, body.length), body)
}

function header(first: number, flags: number, length: number): Uint8Array {
  const bytes = new Uint8Array(headerSize)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, first >>> 0)
  view.setUint32(4, ((flags << 24) | length) >>> 0)
  return bytes
}

/** Cuts a stream of bytes into frames. Frames that mean nothing here (settings, windows) are left out. */
export class FrameParser {
  #rest: Uint8Array = new Uint8Array()
  /** of the data frame that is being read */
  #data: { readonly id: number; readonly isFin: boolean; left: number } | undefined;

  /** Throws ProtocolError. */
  *parse(chunk: Uint8Array): Iterable<Frame> {
    let bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk)
    this.#rest = new Uint8Array()
    for (;;) {
      if (this.#data !== undefined) {
        const { id, isFin, left } = this.#data
        const data = bytes.subarray(0, left)
        bytes = bytes.subarray(data.length)
        this.#data.left -= data.length
        const isWhole = this.#data.left === 0
        if (isWhole) this.#data = undefined
        if (data.length > 0 || isWhole) yield { kind: 'data', id, isFin: isFin && isWhole, data }
        if (!isWhole) return
      }
      if (bytes.length < headerSize) break
      const view = new DataView(bytes.buffer, bytes.byteOffset, headerSize)
      const first = view.getUint32(0)
      const flags = view.getUint8(4)
      const length = view.getUint32(4) & 0xff_ffff
      if (first >>> 31 === 0) {
        this.#data = { id: first, isFin: (flags & fin) !== 0, left: length }
        bytes = bytes.subarray(headerSize)
        continue
      }
      if (first >>> 16 !== (isControl | version)) throw new ProtocolError('these are no frames of SPDY/3.1')
      if (length > mostControl) throw new ProtocolError(`a control frame of ${length} bytes is too long`)
      if (bytes.length < headerSize + length) break
      const frame = decodeControl(first & 0xffff, flags, bytes.subarray(headerSize, headerSize + length))
      bytes = bytes.subarray(headerSize + length)
      if (frame !== undefined) yield frame
    }
    this.#rest = bytes.slice()
  }
}

function decodeControl(type: number, flags: number, body: Uint8Array): Frame | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const number = (at: number) => {
    if (at + 4 > body.length) throw new ProtocolError(`a control frame of type ${type} is too short`)
    return view.getUint32(at) & 0x7fff_ffff
  }
  const isFin = (flags & fin) !== 0
  switch (type) {
    case types.synStream:
      if (body.length < 10) throw new ProtocolError('a SYN_STREAM is too short')
      return { kind: 'synStream', id: number(0), isFin, block: body.slice(10) }
    case types.synReply:
      return { kind: 'synReply', id: number(0), isFin, block: body.slice(4) }
    case types.headers:
      return { kind: 'headers', id: number(0), isFin, block: body.slice(4) }
    case types.reset:
      return { kind: 'reset', id: number(0), status: number(4) }
    case types.ping:
      // The whole number: who sent it is told by whether it is odd.
      return { kind: 'ping', id: number(0) }
    case types.goAway:
      return { kind: 'goAway', lastId: number(0) }
    default:
      return undefined
  }
}

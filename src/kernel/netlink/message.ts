// Takes netlink messages and attributes apart. Payloads are views into the received bytes, so whoever keeps one must
// know that those bytes are not written again (socket.ts hands out fresh ones).

export type Message = {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** Port of the sender, 0 for the kernel. */
  readonly port: number
  readonly payload: Uint8Array
}

/** Attribute type -> payload; of a type that comes twice, the last. */
export type Attributes = ReadonlyMap<number, Uint8Array>

/** Message types of the protocol itself. */
export const NLMSG = { noop: 1, error: 2, done: 3, overrun: 4 } as const
const decoder = new TextDecoder()

/** The messages of one datagram. A cut-off one throws: the kernel never sends such. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const messages: Message[] = []
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = view.getUint32(at, true)
    if (length < 16 || at + length > bytes.length) throw new RangeError(`netlink message of ${length} bytes at ${at}`)
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      payload: bytes.subarray(at + 16, at + length),
    })
    at += align(length)
  }
  return messages
}

/** Calls `each` for every attribute from `offset` on, in order; the type comes without its flags. */
export function eachAttribute(
  bytes: Uint8Array,
  offset: number,
  each: (type: number, payload: Uint8Array) => void,
): void {
  for (let at = offset; at + 4 <= bytes.length;) {
    const length = bytes[at]! | (bytes[at + 1]! << 8)
    if (length < 4 || at + length > bytes.length) throw new RangeError(`netlink attribute of ${length} bytes at ${at}`)
    each((bytes[at + 2]! | (bytes[at + 3]! << 8)) & 0x3fff, bytes.subarray(at + 4, at + length))
    at += align(length)
  }
}

export function decodeAttributes(bytes: Uint8Array | undefined, offset = 0): Attributes {
  const attributes = new Map<number, Uint8Array>()
  if (bytes) eachAttribute(bytes, offset, (type, payload) => attributes.set(type, payload))
  return attributes
}

/** What an error message (or ack, errno 0) says, with the kernel's own explanation where it gave one. */
export type Ack = { readonly errno: number; readonly text?: string; readonly offset?: number }

const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
export function decodeAck(message: Message): Ack {
  const errno = -(readU32(message.payload) | 0)
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno }
  const requestLength = readU32(message.payload.subarray(4))
  const attributes = decodeAttributes(message.payload, message.flags & NLM_F_CAPPED ? 20 : 4 + align(requestLength))
  const text = attributes.get(1)
  const offset = attributes.get(2)
  return { errno, ...(text && { text: readText(text) }), ...(offset && { offset: readU32(offset) }) }
}

export const readU8 = (bytes: Uint8Array): number => bytes[0]!
export const readU16 = (bytes: Uint8Array): number => bytes[0]! | (bytes[1]! << 8)
export const readU32 = (bytes: Uint8Array): number =>
  (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0
export const readU16be = (bytes: Uint8Array): number => (bytes[0]! << 8) | bytes[1]!
export const readU32be = (bytes: Uint8Array): number =>
  ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
export const readU64be = (bytes: Uint8Array): bigint =>
  (BigInt(readU32be(bytes)) << 32n) | BigInt(readU32be(bytes.subarray(4)))
/** A string up to its NUL. */
export function readText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
}

const align = (length: number): number => (length + 3) & ~3

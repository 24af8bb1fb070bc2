// effect: UDP sockets by system calls
// UDP many datagrams at a time: one recvmmsg, one sendmmsg, on buffers that are laid out once.
import {
  addressOf,
  AF,
  bind,
  close,
  MSG,
  receiveMany,
  sendMany,
  setReceiveTimeout,
  setSocketOption,
  SOCK,
  socket,
  socketName,
} from '#kernel/ffi.ts'

const sol = { socket: 1, ipv6: 41 } as const
const option = { reuseAddress: 2, receiveBuffer: 8, reusePort: 15, ipv6Only: 26 } as const
const addressBytes = 28
const headerBytes = 64
const vectorBytes = 16

/**
 * A UDP socket on `address` (4 or 16 bytes); `port` 0 takes a free one. `shared`: its port may be shared with others
 * of its kind, among whom the kernel spreads clients.
 */
export function openDatagram(
  address: Uint8Array,
  port: number,
  { shared }: { readonly shared: boolean },
): { readonly fd: number; readonly port: number } {
  const isV4 = address.length === 4
  const fd = socket(isV4 ? AF.inet : AF.inet6, SOCK.dgram, 0)
  try {
    if (shared) setSocketOption(fd, sol.socket, option.reusePort, 1)
    setSocketOption(fd, sol.socket, option.receiveBuffer, 4 << 20)
    if (!isV4) setSocketOption(fd, sol.ipv6, option.ipv6Only, 1)
    bind(fd, socketAddress(address, port))
    const name = socketName(fd)
    return { fd, port: (name[2]! << 8) | name[3]! }
  } catch (error) {
    close(fd)
    throw error
  }
}

/** struct sockaddr_in or sockaddr_in6. */
export function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const isV4 = address.length === 4
  const bytes = new Uint8Array(isV4 ? 16 : addressBytes)
  new DataView(bytes.buffer).setUint16(0, isV4 ? AF.inet : AF.inet6, true)
  bytes[2] = port >> 8
  bytes[3] = port
  bytes.set(address, isV4 ? 4 : 8)
  return bytes
}

export class DatagramBatch {
  readonly #fd: number
  readonly #most: number
  readonly #flags: number
  readonly #received: Uint8Array
  readonly #toSend: Uint8Array
  /** the same headers as 32-bit words: 16 each; word 2 is the name's length, 14 the datagram's */
  readonly #receivedWords: Uint32Array
  readonly #toSendWords: Uint32Array
  /** iovecs as words: 4 each; word 2 is the length */
  readonly #answerVectors: Uint32Array
  readonly #incoming: readonly Buffer[]
  readonly #answers: readonly Buffer[]
  readonly #names: readonly Buffer[]
  /** only the kernel reads these; they must live as long as the headers that point at them */
  readonly #vectors: Uint8Array

  /**
   * Room for `most` datagrams of `size` bytes each way; `timeoutMs` is the longest time that `receive` waits. Without
   * it `receive` never waits.
   */
  constructor(fd: number, o: { readonly most: number; readonly size: number; readonly timeoutMs?: number }) {
    const { most, size } = o
    this.#fd = fd
    this.#most = most
    this.#flags = o.timeoutMs === undefined ? MSG.dontWait : MSG.waitForOne
    if (o.timeoutMs !== undefined) setReceiveTimeout(fd, o.timeoutMs)
    const names = Buffer.alloc(most * addressBytes)
    const incoming = layOut(most, size, names)
    const outgoing = layOut(most, size, names)
    this.#received = incoming.headers
    this.#toSend = outgoing.headers
    this.#vectors = incoming.vectors
    this.#receivedWords = new Uint32Array(incoming.headers.buffer)
    this.#toSendWords = new Uint32Array(outgoing.headers.buffer)
    this.#answerVectors = new Uint32Array(outgoing.vectors.buffer)
    const pieces = (bytes: Buffer, each: number) =>
      Array.from({ length: most }, (_, i) => bytes.subarray(i * each, (i + 1) * each))
    this.#incoming = pieces(incoming.data, size)
    this.#answers = pieces(outgoing.data, size)
    this.#names = pieces(names, addressBytes)
  }

  /** Takes datagrams; how many there are, 0 after the time-out. They stand until the next call. */
  receive(): number {
    // The kernel writes the length of each name over the room that it was given.
    for (let i = 0; i < this.#most; i++) this.#receivedWords[i * 16 + 2] = addressBytes
    if (this.#vectors.length === 0) return 0
    return receiveMany(this.#fd, this.#received, this.#most, this.#flags)
  }

  /** The `i`th datagram; its bytes are overwritten by the next `receive`. */
  datagram(i: number): Buffer {
    return this.#incoming[i]!
  }

  lengthOf(i: number): number {
    return this.#receivedWords[i * 16 + 14]!
  }

  /** The sockaddr that the `i`th datagram came from. */
  senderOf(i: number): Buffer {
    return this.#names[i]!.subarray(0, this.#receivedWords[i * 16 + 2])
  }

  /** Room for the `slot`th answer. */
  answer(slot: number): Buffer {
    return this.#answers[slot]!
  }

  /** Sets the `slot`th answer: `length` bytes to whom the `i`th datagram came from. */
  setAnswer(slot: number, i: number, length: number): void {
    this.#toSendWords[slot * 16] = this.#receivedWords[i * 16]!
    this.#toSendWords[slot * 16 + 1] = this.#receivedWords[i * 16 + 1]!
    this.#toSendWords[slot * 16 + 2] = this.#receivedWords[i * 16 + 2]!
    this.#answerVectors[slot * 4 + 2] = length
  }

  /** Sends the first `count` answers; one that cannot be sent is passed over, as UDP does. */
  send(count: number): void {
    for (let sent = 0; sent < count;) {
      const rest = sent === 0 ? this.#toSend : this.#toSend.subarray(sent * headerBytes)
      sent += Math.max(1, sendMany(this.#fd, rest, count - sent))
    }
  }
}

/** mmsghdr structures, each with one iovec that points at its piece of `data` and with its piece of `names`. */
function layOut(most: number, size: number, names: Buffer) {
  const data = Buffer.alloc(most * size)
  const headers = new Uint8Array(new ArrayBuffer(most * headerBytes))
  const vectors = new Uint8Array(new ArrayBuffer(most * vectorBytes))
  const header = new DataView(headers.buffer)
  const vector = new DataView(vectors.buffer)
  const [dataAt, namesAt, vectorsAt] = [addressOf(data), addressOf(names), addressOf(vectors)]
  for (let i = 0; i < most; i++) {
    vector.setBigUint64(i * vectorBytes, dataAt + BigInt(i * size), true)
    vector.setBigUint64(i * vectorBytes + 8, BigInt(size), true)
    header.setBigUint64(i * headerBytes, namesAt + BigInt(i * addressBytes), true)
    header.setBigUint64(i * headerBytes + 16, vectorsAt + BigInt(i * vectorBytes), true)
    header.setBigUint64(i * headerBytes + 24, 1n, true)
  }
  return { data, headers, vectors }
}

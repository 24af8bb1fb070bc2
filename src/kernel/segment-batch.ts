// effect: UDP sockets by system calls
// Many UDP datagrams by few calls: datagrams of one length to one peer go to the kernel as a single message that it cuts
// (UDP_SEGMENT), and those that came one after another arrive as one (UDP_GRO). On the wire they are what they always were.
import {
  addressOf,
  AF,
  bind,
  close,
  receiveMany,
  setSocketOption,
  SOCK,
  socket,
  SystemError,
  trySendMany,
} from '#kernel/ffi.ts'
import { socketAddress } from '#kernel/datagram-batch.ts'

const sol = { socket: 1, udp: 17, ipv6: 41 } as const
const option = { sendBuffer: 7, receiveBuffer: 8, ipv6Only: 26, segment: 103, gather: 104 } as const
const MSG_DONTWAIT = 0x40
const headerBytes = 64
const vectorBytes = 16
const controlBytes = 32
const addressBytes = 28
/** UDP_MAX_SEGMENTS of all kernels that have it, and the longest IP packet less its headers. */
const most = { segments: 64, bytes: 65_000 } as const

/** A socket on `address` (4 or 16 bytes) and `port` that this file's classes send and receive by. Throws a SystemError. */
export function openSegmented(address: Uint8Array, port: number): number {
  const isV4 = address.length === 4
  const fd = socket(isV4 ? AF.inet : AF.inet6, SOCK.dgram, 0)
  try {
    for (const name of [option.sendBuffer, option.receiveBuffer]) setSocketOption(fd, sol.socket, name, 4 << 20)
    if (!isV4) setSocketOption(fd, sol.ipv6, option.ipv6Only, 1)
    bind(fd, socketAddress(address, port))
    gather(fd)
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

/** Kernels before 5.0 cannot. */
function gather(fd: number): void {
  try {
    setSocketOption(fd, sol.udp, option.gather, 1)
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'ENOPROTOOPT') throw error
  }
}

/** Collects packets in slots, then sends them all, each to a sockaddr of its own. */
export class SegmentSender {
  readonly slotBytes: number
  readonly slots: number
  readonly packets: Uint8Array
  readonly #fd: number
  readonly #base: number
  readonly #vectors: BigUint64Array
  readonly #headers: Uint8Array
  readonly #header: DataView
  readonly #control: DataView
  readonly #controlAt: bigint
  readonly #vectorsAt: bigint
  readonly #lengths: Int32Array
  readonly #peers: (bigint | undefined)[]
  readonly #peerBytes: number
  #count = 0
  /** false once a kernel or a device has refused to cut */
  #mayJoin = true

  constructor(fd: number, o: { readonly slots: number; readonly slotBytes: number; readonly family: 4 | 6 }) {
    this.#fd = fd
    this.slots = o.slots
    this.slotBytes = o.slotBytes
    this.packets = new Uint8Array(new ArrayBuffer(o.slots * o.slotBytes))
    this.#base = Number(addressOf(this.packets))
    this.#vectors = new BigUint64Array(o.slots * 2)
    this.#vectorsAt = addressOf(new Uint8Array(this.#vectors.buffer))
    for (let i = 0; i < o.slots; i++) this.#vectors[2 * i] = BigInt(this.addressOf(i))
    this.#headers = new Uint8Array(new ArrayBuffer(o.slots * headerBytes))
    this.#header = new DataView(this.#headers.buffer)
    const control = new Uint8Array(new ArrayBuffer(o.slots * controlBytes))
    this.#control = new DataView(control.buffer)
    this.#controlAt = addressOf(control)
    this.#lengths = new Int32Array(o.slots)
    this.#peers = Array.from({ length: o.slots })
    this.#peerBytes = o.family === 4 ? 16 : addressBytes
  }

  get count(): number {
    return this.#count
  }

  /** Where the next packet may be written; there must be a slot left. */
  get next(): number {
    return this.addressOf(this.#count)
  }
  addressOf(slot: number): number {
    return this.#base + slot * this.slotBytes
  }

  /** The packet that was written to `next` goes to the sockaddr at `peer`, an address that stays good until `flush`. */
  push(length: number, peer: bigint): void {
    this.#lengths[this.#count] = length
    this.#vectors[2 * this.#count + 1] = BigInt(length)
    this.#peers[this.#count++] = peer
  }

  /** Sends what was pushed; answers how many packets the kernel refused. */
  flush(): number {
    let refused = 0
    for (let first = 0; first < this.#count;) {
      const [messages, end] = this.#layOut(first)
      refused += this.#send(messages)
      first = end
    }
    this.#count = 0
    return refused
  }

  /** Headers for the packets from `first` on; how many, and the first packet that is not in them. */
  #layOut(first: number): readonly [number, number] {
    let message = 0
    let at = first
    while (at < this.#count) {
      const run = this.#mayJoin ? this.#runFrom(at) : 1
      this.#write(message++, at, run)
      at += run
    }
    return [message, at]
  }

  /** How many packets from `at` on fit into one message: one peer, one length, but that the last may be shorter. */
  #runFrom(at: number): number {
    const length = this.#lengths[at]!
    const peer = this.#peers[at]
    let run = 1
    let bytes = length
    for (let i = at + 1; i < this.#count && run < most.segments; i++, run++) {
      const own = this.#lengths[i]!
      bytes += own
      if (this.#peers[i] !== peer || own > length || bytes > most.bytes) break
      if (own < length) return run + 1
    }
    return run
  }

  #write(message: number, slot: number, run: number): void {
    const at = message * headerBytes
    const header = this.#header
    header.setBigUint64(at, this.#peers[slot]!, true)
    header.setUint32(at + 8, this.#peerBytes, true)
    header.setBigUint64(at + 16, this.#vectorsAt + BigInt(slot * vectorBytes), true)
    header.setBigUint64(at + 24, BigInt(run), true)
    const control = message * controlBytes
    header.setBigUint64(at + 32, run > 1 ? this.#controlAt + BigInt(control) : 0n, true)
    header.setBigUint64(at + 40, run > 1 ? 24n : 0n, true)
    this.#control.setBigUint64(control, 18n, true)
    this.#control.setInt32(control + 8, sol.udp, true)
    this.#control.setInt32(control + 12, option.segment, true)
    this.#control.setUint16(control + 16, this.#lengths[slot]!, true)
  }

  #send(messages: number): number {
    let refused = 0
    for (let sent = 0; sent < messages;) {
      const done = trySendMany(this.#fd, this.#headers.subarray(sent * headerBytes), messages - sent)
      if (done > 0) {
        sent += done
        continue
      }
      const run = Number(this.#header.getBigUint64(sent * headerBytes + 24, true))
      // Whatever is against a joined message, single ones may pass.
      refused += run > 1 ? this.#sendSingly(sent, run) : 1
      if (run > 1 && [5, 22, 95].includes(-done)) this.#mayJoin = false
      sent++
    }
    return refused
  }

  #sendSingly(message: number, run: number): number {
    const header = this.#header
    const at = message * headerBytes
    const vector = header.getBigUint64(at + 16, true)
    header.setBigUint64(at + 24, 1n, true)
    header.setBigUint64(at + 32, 0n, true)
    header.setBigUint64(at + 40, 0n, true)
    let refused = 0
    for (let i = 0; i < run; i++) {
      header.setBigUint64(at + 16, vector + BigInt(i * vectorBytes), true)
      if (trySendMany(this.#fd, this.#headers.subarray(at), 1) < 1) refused++
    }
    return refused
  }
}

const messageBytes = 65_536

/** Receives without waiting; every message may be several datagrams of one length, the last perhaps shorter. */
export class SegmentReceiver {
  readonly bytes: Uint8Array
  readonly base: number
  readonly #fd: number
  readonly #messages: number
  readonly #headers: Uint8Array
  readonly #header: DataView
  readonly #control: DataView
  /** only the kernel reads these; they must live as long as the headers that point at them */
  readonly #kept: readonly Uint8Array[]

  constructor(fd: number, messages: number) {
    this.#fd = fd
    this.#messages = messages
    this.bytes = new Uint8Array(new ArrayBuffer(messages * messageBytes))
    this.base = Number(addressOf(this.bytes))
    const vectors = new Uint8Array(new ArrayBuffer(messages * vectorBytes))
    const control = new Uint8Array(new ArrayBuffer(messages * controlBytes))
    this.#headers = new Uint8Array(new ArrayBuffer(messages * headerBytes))
    this.#header = new DataView(this.#headers.buffer)
    this.#control = new DataView(control.buffer)
    this.#kept = [vectors, control]
    const vector = new DataView(vectors.buffer)
    const [vectorsAt, controlAt] = [addressOf(vectors), addressOf(control)]
    for (let i = 0; i < messages; i++) {
      vector.setBigUint64(i * vectorBytes, BigInt(this.base + i * messageBytes), true)
      vector.setBigUint64(i * vectorBytes + 8, BigInt(messageBytes), true)
      this.#header.setBigUint64(i * headerBytes + 16, vectorsAt + BigInt(i * vectorBytes), true)
      this.#header.setBigUint64(i * headerBytes + 24, 1n, true)
      this.#header.setBigUint64(i * headerBytes + 32, controlAt + BigInt(i * controlBytes), true)
    }
  }

  /** How many messages came; 0: none are there. They stand until the next call. */
  receive(): number {
    if (this.#kept.length === 0) return 0
    // The kernel writes over the room that it was given for control messages.
    for (let i = 0; i < this.#messages; i++) {
      this.#header.setBigUint64(i * headerBytes + 40, BigInt(controlBytes), true)
      this.#control.setBigUint64(i * controlBytes, 0n, true)
    }
    return receiveMany(this.#fd, this.#headers, this.#messages, MSG_DONTWAIT)
  }

  /** Where in `bytes` the `i`th message begins. */
  startOf(i: number): number {
    return i * messageBytes
  }
  lengthOf(i: number): number {
    return this.#header.getUint32(i * headerBytes + 56, true)
  }

  /** The length of each datagram in the `i`th message. */
  segmentOf(i: number): number {
    const at = i * controlBytes
    const isJoined =
      this.#control.getBigUint64(at, true) >= 18n && this.#control.getInt32(at + 12, true) === option.gather
    return isJoined ? this.#control.getUint16(at + 16, true) : this.lengthOf(i)
  }
}

// effect: packet sockets
// Whole Ethernet frames of one kind, on one interface: for what the kernel would not answer by itself.
import { AF, addressOf, bind, close, duplicate, send, setSocketStructure, socket, SOCK } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'
import { watchReadable } from '#kernel/readable.ts'

const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_MR_ALL_MULTICAST = 2

/** One instruction of the kernel's classic packet filter (linux/filter.h). */
export type FilterStep = {
  readonly code: number
  readonly onTrue?: number
  readonly onFalse?: number
  readonly k: number
}

export type PacketSocketOptions = {
  /** index of the interface */
  readonly link: number
  /** the EtherType that is heard and sent */
  readonly etherType: number
  /** Path of a pinned network namespace; default the caller's own. The socket stays in it for life. */
  readonly netns?: string | undefined
  /** lets only some frames through */
  readonly filter?: readonly FilterStep[]
  /** A frame from the Ethernet header on. */
  onFrame(frame: Uint8Array): void
  /** The socket has ended: the interface is gone or down (errno's name). */
  onEnd(code: string | undefined): void
}

export type PacketSocket = Disposable & {
  /** Throws SystemError (`ENETDOWN`: the interface is down). */
  send(frame: Uint8Array): void
}

export function openPacketSocket(options: PacketSocketOptions): PacketSocket {
  const { link, etherType, netns, filter } = options
  // Protocol 0: nothing is heard before the filter stands.
  const fd = withNetns(netns, () => socket(AF.packet, SOCK.raw | SOCK.nonblock, 0))
  if (filter) attach(fd, filter)
  bind(fd, linkAddress(link, etherType))
  setSocketStructure(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership(link))
  const sending = duplicate(fd)
  let isOpen = true
  const watched = watchReadable(fd, {
    data: (frame) => options.onFrame(frame),
    end: (code) => options.onEnd(code),
  })
  watched.unref()
  return {
    send: (frame) => void send(sending, frame),
    [Symbol.dispose]: () => {
      if (!isOpen) return
      isOpen = false
      watched[Symbol.dispose]()
      close(sending)
    },
  }
}

/** struct sockaddr_ll */
function linkAddress(link: number, etherType: number): Uint8Array {
  const bytes = new Uint8Array(20)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF.packet, true)
  view.setUint16(2, etherType, false)
  view.setInt32(4, link, true)
  return bytes
}

/** struct packet_mreq: frames to every multicast address, which the filter then thins out. */
function membership(link: number): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, link, true)
  view.setUint16(4, PACKET_MR_ALL_MULTICAST, true)
  return bytes
}

/** struct sock_fprog, which points to an array of struct sock_filter. */
function attach(fd: number, steps: readonly FilterStep[]): void {
  const code = new Uint8Array(steps.length * 8)
  const view = new DataView(code.buffer)
  for (const [i, { code: operation, onTrue = 0, onFalse = 0, k }] of steps.entries()) {
    view.setUint16(i * 8, operation, true)
    view.setUint8(i * 8 + 2, onTrue)
    view.setUint8(i * 8 + 3, onFalse)
    view.setUint32(i * 8 + 4, k, true)
  }
  const program = new Uint8Array(16)
  const programView = new DataView(program.buffer)
  programView.setUint16(0, steps.length, true)
  programView.setBigUint64(8, addressOf(code), true)
  setSocketStructure(fd, SOL_SOCKET, SO_ATTACH_FILTER, program)
}

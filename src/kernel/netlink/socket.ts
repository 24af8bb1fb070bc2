// effect: netlink sockets
// Requests are synchronous: the kernel has its answer ready when send returns. What it says unasked (multicast groups)
// comes by `subscribe`, which the event loop watches.
import { AF, bind, close, errorName, errorText, receive, send, setReceiveTimeout } from '#kernel/ffi.ts'
import { setSocketOption, socket, SOCK, SystemError } from '#kernel/ffi.ts'
import { type Ack, decodeAck, decodeMessages, type Message, NLMSG, readU32 } from '#kernel/netlink/message.ts'
import { MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'
import { withNetns } from '#kernel/netns.ts'
import { watchReadable } from '#kernel/readable.ts'

/** linux/netlink.h: which subsystem a socket talks to. */
export const NETLINK = { route: 0, diagnosis: 4, netfilter: 12, generic: 16 } as const
const SOL_NETLINK = 270
const OPTION = { addMembership: 1, dropMembership: 2, capAck: 10, extendedAck: 11, strictCheck: 12 } as const
const SO = { receiveBufferForce: 33, sendBufferForce: 32 } as const
const NLM_F_DUMP_INTERRUPTED = 0x10
const answerTimeoutMs = 10_000

/** The kernel said no: `code` is the errno's name, `explanation` its extended ack, where it gave one. */
export class NetlinkError extends Error {
  readonly code: string
  readonly explanation: string | undefined
  constructor(what: string, ack: Ack) {
    super(`${what}: ${errorText(ack.errno)}${ack.text === undefined ? '' : `: ${ack.text}`}`)
    this.name = 'NetlinkError'
    this.code = errorName(ack.errno)
    this.explanation = ack.text
  }
}

export type NetlinkOptions = {
  readonly protocol: number
  /** Path of a pinned network namespace; default the caller's own. The socket stays in it for life. */
  readonly netns?: string | undefined
}

export function openNetlink({ protocol, netns }: NetlinkOptions): NetlinkSocket {
  const fd = withNetns(netns, () => socket(AF.netlink, SOCK.raw, protocol))
  setSocketOption(fd, SOL_NETLINK, OPTION.capAck, 1)
  setSocketOption(fd, SOL_NETLINK, OPTION.extendedAck, 1)
  if (protocol === NETLINK.route) setSocketOption(fd, SOL_NETLINK, OPTION.strictCheck, 1)
  setReceiveTimeout(fd, answerTimeoutMs)
  return new NetlinkSocket(fd)
}

export class NetlinkSocket implements Disposable {
  readonly #fd: number
  readonly #writer = new MessageWriter(4096)
  readonly #buffer = new Uint8Array(64 * 1024)
  #sequence = 1

  constructor(fd: number) {
    this.#fd = fd
  }

  /**
   * One request; answers the messages that came back before the kernel's ack, for a dump all of them.
   * `what` names the operation in a NetlinkError; `body` writes the family header and the attributes.
   */
  request(what: string, type: number, flags: number, body: (writer: MessageWriter) => void): Message[] {
    const isDump = (flags & NLM_F.dump) === NLM_F.dump && (flags & NLM_F.create) === 0
    for (;;) {
      const sequence = this.#sequence++
      const writer = this.#writer
      writer.reset()
      writer.begin(type, flags | NLM_F.request | (isDump ? 0 : NLM_F.ack), sequence)
      body(writer)
      send(this.#fd, writer.end().bytes)
      const answer = this.#collect(what, sequence)
      // A dump during which the table changed may be torn: ask again.
      if (!answer.some((message) => (message.flags & NLM_F_DUMP_INTERRUPTED) !== 0)) return answer
    }
  }

  /** Sends ready-made messages and answers the next datagrams until `isLast` says so, for protocols with batches. */
  exchange(bytes: Uint8Array, isLast: (message: Message) => boolean): Message[] {
    send(this.#fd, bytes)
    const all: Message[] = []
    for (;;) {
      const some = this.#receive('netlink batch')
      all.push(...some)
      if (some.some(isLast)) return all
    }
  }

  /** Messages that are there already, without waiting. */
  drain(): Message[] {
    const length = receive(this.#fd, this.#buffer, 0x40)
    return length === undefined ? [] : decodeMessages(this.#buffer.slice(0, length))
  }

  /** A large batch needs a send buffer of its size. */
  reserveSendBuffer(bytes: number): void {
    setSocketOption(this.#fd, 1, SO.sendBufferForce, bytes)
  }

  #collect(what: string, sequence: number): Message[] {
    const answer: Message[] = []
    for (;;) {
      for (const message of this.#receive(what)) {
        if (message.sequence !== sequence) continue
        if (message.type === NLMSG.error) {
          const ack = decodeAck(message)
          if (ack.errno !== 0) throw new NetlinkError(what, ack)
          return answer
        }
        if (message.type === NLMSG.done) {
          const errno = message.payload.length >= 4 ? -(readU32(message.payload) | 0) : 0
          if (errno > 0) throw new NetlinkError(what, { errno })
          return answer
        }
        answer.push(message)
      }
    }
  }

  #receive(what: string): Message[] {
    const length = receive(this.#fd, this.#buffer)
    if (length === undefined) throw new Error(`${what}: no answer from the kernel in ${answerTimeoutMs} ms`)
    return decodeMessages(this.#buffer.slice(0, length))
  }

  [Symbol.dispose](): void {
    close(this.#fd)
  }
}

export type Subscription = Disposable & {
  unref(): void
  /** Hears nothing until `resume`: what happens in between is not told later. */
  pause(): void
  resume(): void
}

export type SubscribeOptions = NetlinkOptions & {
  /** Group numbers (not bits), as in linux/rtnetlink.h RTNLGRP_*. */
  readonly groups: readonly number[]
  onMessage(message: Message): void
  /** Messages were lost (too many at once): look at everything anew. Listening goes on. */
  onOverrun(): void
}

/** Listens to multicast groups. Everything after this call is heard, so dump after it, not before. */
export function subscribe(options: SubscribeOptions): Subscription {
  let watched = listen(options)
  let isUnref = false
  let isPaused = false
  const setMembership = (option: number) => {
    for (const group of options.groups) setSocketOption(watched.fd, SOL_NETLINK, option, group)
  }
  return {
    pause() {
      if (!isPaused) setMembership(OPTION.dropMembership)
      isPaused = true
    },
    resume() {
      if (isPaused) setMembership(OPTION.addMembership)
      isPaused = false
    },
    unref: () => {
      isUnref = true
      watched.unref()
    },
    [Symbol.dispose]: () => watched[Symbol.dispose](),
  }

  function listen({ protocol, netns, groups }: NetlinkOptions & { readonly groups: readonly number[] }) {
    const opened = withNetns(netns, () => socket(AF.netlink, SOCK.raw | SOCK.nonblock, protocol))
    const address = new Uint8Array(12)
    address[0] = AF.netlink
    bind(opened, address)
    trySetReceiveBuffer(opened, 4 << 20)
    for (const group of groups) setSocketOption(opened, SOL_NETLINK, OPTION.addMembership, group)
    return watchReadable(opened, {
      data: (bytes) => {
        for (const message of decodeMessages(bytes)) options.onMessage(message)
      },
      end: () => {
        watched = listen(options)
        if (isUnref) watched.unref()
        if (isPaused) setMembership(OPTION.dropMembership)
        options.onOverrun()
      },
    })
  }
}

/** More than the system's limit needs CAP_NET_ADMIN over the first user namespace; without it the default stays. */
function trySetReceiveBuffer(fd: number, bytes: number): void {
  try {
    setSocketOption(fd, 1, SO.receiveBufferForce, bytes)
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
  }
}

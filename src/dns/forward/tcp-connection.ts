// effect: TCP connection to an upstream server
import { randomInt } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { Outcome } from '#dns/forward/upstream.ts'
import { decodeMessage, type Message } from '#dns/wire/message.ts'

type Waiting = {
  readonly isAnswer: (message: Message | undefined) => message is Message
  readonly resolve: (outcome: Outcome) => void
}

/** One connection that questions share (RFC 7766), opened when one is asked, closed when unused for `expireMs`. */
export class TcpConnection {
  readonly #to: { readonly address: string; readonly port: number }
  readonly #expireMs: number
  readonly #waiting = new Map<number, Waiting>()
  #socket: Socket | undefined
  #received: Buffer = Buffer.alloc(0)
  #expiry: NodeJS.Timeout | undefined

  constructor(to: { readonly address: string; readonly port: number }, expireMs: number) {
    this.#to = to
    this.#expireMs = expireMs
  }

  async ask(encode: (id: number) => Uint8Array, isAnswer: Waiting['isAnswer'], timeoutMs: number): Promise<Outcome> {
    const isReused = this.#socket !== undefined
    const outcome = await this.#askOnce(encode, isAnswer, timeoutMs)
    // The other end may have closed a connection that had been idle: that says nothing about its health.
    const again = isReused && outcome.kind === 'failed' && this.#socket === undefined
    return again ? this.#askOnce(encode, isAnswer, timeoutMs) : outcome
  }

  #askOnce(encode: (id: number) => Uint8Array, isAnswer: Waiting['isAnswer'], timeoutMs: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    let id = randomInt(0x10000)
    while (this.#waiting.has(id)) id = randomInt(0x10000)
    const timer = setTimeout(() => this.#settle(id, this.#failed('i/o timeout')), timeoutMs)
    this.#waiting.set(id, { isAnswer, resolve })
    clearTimeout(this.#expiry)
    const query = encode(id)
    this.#open().write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 0xff), query]))
    return promise.finally(() => clearTimeout(timer))
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket
    const socket = connect({ port: this.#to.port, host: this.#to.address, noDelay: true })
    this.#socket = socket
    this.#received = Buffer.alloc(0)
    const over = (reason: string) => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      socket.destroy()
      for (const id of this.#waiting.keys()) this.#settle(id, this.#failed(reason))
    }
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => over(error.message))
    socket.on('close', () => over('connection closed'))
    return socket
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 2 && this.#received.length >= this.#received.readUInt16BE(0) + 2) {
      const end = this.#received.readUInt16BE(0) + 2
      const message = decodeMessage(this.#received.subarray(2, end))
      this.#received = this.#received.subarray(end)
      if (message !== undefined && this.#waiting.get(message.id)?.isAnswer(message))
        this.#settle(message.id, { kind: 'answered', message })
    }
  }

  #settle(id: number, outcome: Outcome): void {
    this.#waiting.get(id)?.resolve(outcome)
    this.#waiting.delete(id)
    if (this.#waiting.size > 0) return
    clearTimeout(this.#expiry)
    this.#expiry = setTimeout(() => this.close(), this.#expireMs)
    this.#expiry.unref()
  }

  #failed(reason: string): Outcome {
    return { kind: 'failed', reason: `tcp ${this.#to.address}:${this.#to.port}: ${reason}` }
  }

  close(): void {
    clearTimeout(this.#expiry)
    this.#socket?.destroy()
  }
}

// One connection that sends one request at a time and reads as little of the answer as it can: a load that costs less
// than what it measures.
import { connect, type TLSSocket } from 'node:tls'

export type Credentials = { readonly ca: string; readonly cert: string; readonly key: string }
export type RawReply = { readonly code: number; readonly body: Buffer }

export class RawClient {
  readonly #socket: TLSSocket
  #pending: { resolve(reply: RawReply): void; reject(error: Error): void } | undefined
  #chunks: Buffer[] = []
  #size = 0
  #wanted = -1
  #bodyAt = 0
  #code = 0
  #isChunked = false

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    const fail = (error?: Error) => {
      this.#pending?.reject(error ?? new Error('connection closed'))
      this.#pending = undefined
    }
    socket.on('error', fail)
    socket.on('close', () => fail())
  }

  static connect(port: number, credentials: Credentials): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ...credentials, ALPNProtocols: ['http/1.1'] })
      socket.once('secureConnect', () => resolve(new RawClient(socket)))
      socket.once('error', reject)
    })
  }

  request(method: string, path: string, body = '', type = 'application/json'): Promise<RawReply> {
    const length = body === '' ? '' : `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench/1\r\n${length}\r\n${body}`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#wanted < 0) this.#readHead()
    if (this.#wanted >= 0 && this.#isWhole(chunk)) this.#finish()
  }

  #readHead(): void {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = [all]
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = all.toString('latin1', 0, end)
    this.#code = Number(head.slice(9, 12))
    this.#bodyAt = end + 4
    this.#isChunked = /transfer-encoding: chunked/i.test(head)
    this.#wanted = this.#bodyAt + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  }

  /** Of a body in chunks only the end matters, which no JSON looks like. */
  #isWhole(chunk: Buffer): boolean {
    if (!this.#isChunked) return this.#size >= this.#wanted
    return (chunk.length < 5 ? Buffer.concat(this.#chunks) : chunk)
      .subarray(-5)
      .toString('latin1')
      .endsWith('0\r\n\r\n')
  }

  #finish(): void {
    const body = (this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)).subarray(this.#bodyAt)
    this.#chunks = []
    this.#size = 0
    this.#wanted = -1
    const pending = this.#pending
    this.#pending = undefined
    pending?.resolve({ code: this.#code, body })
  }
}

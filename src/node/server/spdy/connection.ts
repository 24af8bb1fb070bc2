// effect: SPDY connections
// Streams over one connection. Neither side keeps SPDY's windows (no client of Kubernetes does): a stream whose reader is
// slow holds up the connection, as it does upstream.
import { Duplex } from 'node:stream'
import { encodeFrame, FrameParser, type Frame } from '#node/server/spdy/frame.ts'
import { HeaderReader, HeaderWriter, type Headers } from '#node/server/spdy/header-block.ts'

/** RST_STREAM: why (section 2.6.3) */
const reset = { protocolError: 1, cancel: 5 } as const
/** So many streams at once are enough for a port-forward of 500 connections. */
const mostStreams = 1000
/** One write becomes frames of at most this many bytes. */
const mostData = 1 << 20

export type SpdyOptions = {
  /** whether this side got the connection: then its own streams have even numbers */
  readonly isServer: boolean
  /** a stream that the other side opened; it is acknowledged already */
  onStream(stream: SpdyStream): void
}

export class SpdyConnection {
  readonly #socket: Duplex
  readonly #options: SpdyOptions
  readonly #writer = new HeaderWriter()
  readonly #reader = new HeaderReader()
  readonly #streams = new Map<number, SpdyStream>()
  #nextId: number
  #isOver = false
  /** resolves when the connection is over, however that came */
  readonly closed: Promise<void>

  constructor(socket: Duplex, head: Uint8Array, options: SpdyOptions) {
    this.#socket = socket
    this.#options = options
    this.#nextId = options.isServer ? 2 : 1
    if (head.length > 0) socket.unshift(head)
    socket.on('error', () => socket.destroy())
    this.closed = this.#serve().finally(() => this.#end())
  }

  /** Opens a stream to the other side. */
  open(headers: Headers): SpdyStream {
    const id = this.#nextId
    this.#nextId += 2
    const stream = this.#make(id, headers)
    this.#send({ kind: 'synStream', id, isFin: false, block: this.#writer.write(headers) })
    return stream
  }

  /** Says that it is over, once everything written has gone out. */
  close(): void {
    if (this.#isOver) return
    this.#send({ kind: 'goAway', lastId: Math.max(0, ...this.#streams.keys()) })
    this.#socket.end()
  }

  async #serve(): Promise<void> {
    const parser = new FrameParser()
    try {
      for await (const chunk of this.#socket as AsyncIterable<Uint8Array>)
        for (const frame of parser.parse(chunk)) await this.#take(frame)
    } catch {
      // Rubbish, or a connection that broke: either way nobody is left to be told.
      this.#socket.destroy()
    }
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.kind) {
      case 'synStream': {
        const headers = await this.#reader.read(frame.block)
        if (this.#streams.size >= mostStreams || this.#streams.has(frame.id))
          return this.#send({ kind: 'reset', id: frame.id, status: reset.protocolError })
        const stream = this.#make(frame.id, headers)
        this.#send({ kind: 'synReply', id: frame.id, isFin: false, block: this.#writer.write({}) })
        if (frame.isFin) stream.push(null)
        return this.#options.onStream(stream)
      }
      // Read for their effect on the decompressor.
      case 'synReply':
      case 'headers':
        return void (await this.#reader.read(frame.block))
      case 'reset':
        return void this.#streams.get(frame.id)?.destroy()
      case 'ping':
        // A number of our own kind answers a ping of ours.
        if ((frame.id % 2 === 0) !== this.#options.isServer) this.#send(frame)
        return undefined
      case 'goAway':
        return undefined
      case 'data': {
        const stream = this.#streams.get(frame.id)
        if (stream === undefined) return undefined
        await stream.receive(frame.data, frame.isFin)
      }
    }
  }

  #make(id: number, headers: Headers): SpdyStream {
    const stream = new SpdyStream(headers, (data, isFin, done) => {
      if (this.#isOver) return done()
      for (let at = 0; data.length - at > mostData; at += mostData)
        this.#socket.write(encodeFrame({ kind: 'data', id, isFin: false, data: data.subarray(at, at + mostData) }))
      const last = data.length <= mostData ? data : data.subarray(Math.floor((data.length - 1) / mostData) * mostData)
      return void this.#socket.write(encodeFrame({ kind: 'data', id, isFin, data: last }), () => done())
    })
    this.#streams.set(id, stream)
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.#streams.delete(id)
      if (!stream.isFinished && !this.#isOver) this.#send({ kind: 'reset', id, status: reset.cancel })
    })
    return stream
  }

  #send(frame: Frame): void {
    if (!this.#isOver && this.#socket.writable) this.#socket.write(encodeFrame(frame))
  }

  #end(): void {
    this.#isOver = true
    this.#reader.close()
    this.#socket.destroy()
    for (const stream of this.#streams.values()) stream.destroy()
  }
}

type SendData = (data: Uint8Array, isFin: boolean, done: () => void) => void

/** One stream, both directions; each ends by itself. Destroyed, it is reset. */
export class SpdyStream extends Duplex {
  readonly headers: Headers
  readonly #sendData: SendData
  #wake = () => {}

  constructor(headers: Headers, sendData: SendData) {
    super({ allowHalfOpen: true })
    this.headers = headers
    this.#sendData = sendData
    this.on('close', () => this.#wake())
  }

  /** Whether both directions have come to their ends. */
  get isFinished(): boolean {
    return this.readableEnded && this.writableFinished
  }

  /** Gives data to the reader; resolves when there is room for more. */
  async receive(data: Uint8Array, isFin: boolean): Promise<void> {
    if (this.destroyed || this.readableEnded) return
    const hasRoom = data.length === 0 || this.push(data)
    if (isFin) this.push(null)
    else if (!hasRoom) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  override _read(): void {
    this.#wake()
  }
  override _write(data: Uint8Array, _encoding: string, done: () => void): void {
    this.#sendData(data, false, done)
  }
  override _final(done: () => void): void {
    this.#sendData(new Uint8Array(), true, done)
  }
}

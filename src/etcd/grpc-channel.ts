// effect: HTTP/2 connections
// gRPC to one server: single calls and streams, over one HTTP/2 connection that is made when it is needed and made anew
// when it breaks.
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { concat } from '#lib/bytes.ts'

/** gRPC's codes that matter here. `unavailable` also stands for a connection that cannot be had or broke. */
export const code = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unavailable: 14,
  unauthenticated: 16,
} as const

export class GrpcError extends Error {
  override readonly name = 'GrpcError'
  readonly code: number
  /** the server has never seen the request */
  readonly isUnsent: boolean
  constructor(number: number, message: string, isUnsent = false) {
    super(message)
    this.code = number
    this.isUnsent = isUnsent
  }
}

/** PEM texts. Without an authority the system's are trusted. */
export type ChannelTls = {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** A connection that does not answer a ping in time is given up; etcd shuts out who asks more often than every 5 s. */
const pingEveryMs = 7000
const pingTimeoutMs = 3000
const connectTimeoutMs = 3000
const windowBytes = 4 * 1024 * 1024

export type StreamEvents = {
  message(bytes: Uint8Array): void
  /** the stream is over */
  end(error: GrpcError): void
}
/** `failure`: why it is over */
type Connection = { readonly session: ClientHttp2Session; isMade: boolean; failure: string | undefined }

export type GrpcStream = { send(message: Uint8Array): void; close(): void }

export class GrpcChannel {
  readonly #url: string
  readonly #tls: ChannelTls
  #connection: Connection | undefined

  constructor(url: string, tls: ChannelTls = {}) {
    this.#url = url
    this.#tls = tls
  }

  /** One request, one answer. Throws GrpcError. */
  call(path: string, message: Uint8Array, timeoutMs: number, token?: string): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const answers: Uint8Array[] = []
      const timer = setTimeout(() => {
        stream.close()
        reject(new GrpcError(code.deadlineExceeded, `${this.#url} did not answer within ${timeoutMs / 1000} s`))
      }, timeoutMs)
      const stream = this.open(
        path,
        {
          message: (bytes) => answers.push(bytes),
          end(error) {
            clearTimeout(timer)
            if (error.code !== code.ok) reject(error)
            else if (answers[0] === undefined) reject(new GrpcError(code.unavailable, 'an empty answer'))
            else resolve(answers[0])
          },
        },
        token,
      )
      stream.send(message)
      stream.end()
    })
  }

  /** A stream of requests and answers, until one side ends it. `token`: who asks, where etcd wants to know. */
  open(path: string, events: StreamEvents, token?: string): GrpcStream & { end(): void } {
    const connection = this.#connected()
    const stream = connection.session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      // A member that has lost its leader ends the stream instead of keeping silent.
      hasleader: 'true',
      ...(token !== undefined && { token }),
    })
    follow(stream, connection, this.#url, events)
    return {
      send: (message) => void stream.write(frame(message)),
      end: () => void stream.end(),
      close: () => stream.close(constants.NGHTTP2_CANCEL),
    }
  }

  close(): void {
    this.#connection?.session.destroy()
    this.#connection = undefined
  }

  #connected(): Connection {
    const before = this.#connection
    if (before !== undefined && !before.session.closed && !before.session.destroyed) return before
    const { ca, cert, key } = this.#tls
    const session = connect(this.#url, {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      settings: { initialWindowSize: windowBytes, enablePush: false },
    })
    const connection: Connection = { session, isMade: false, failure: undefined }
    this.#connection = connection
    const fail = (why: string) => {
      connection.failure ??= why
      session.destroy()
    }
    const late = setTimeout(() => fail(`no connection within ${connectTimeoutMs / 1000} s`), connectTimeoutMs)
    session.on('connect', () => {
      clearTimeout(late)
      connection.isMade = true
      session.setLocalWindowSize(windowBytes)
      keepAlive(session, fail)
    })
    session.on('error', (error) => fail(error.message))
    session.on('goaway', () => session.close())
    session.on('close', () => clearTimeout(late))
    return connection
  }
}

/** A machine that vanished says nothing: it is asked. */
function keepAlive(session: ClientHttp2Session, fail: (why: string) => void): void {
  let timeout: NodeJS.Timeout | undefined
  const timer = setInterval(() => {
    timeout = setTimeout(() => fail('no answer to a ping'), pingTimeoutMs)
    session.ping(() => clearTimeout(timeout))
  }, pingEveryMs).unref()
  session.on('close', () => {
    clearInterval(timer)
    clearTimeout(timeout)
  })
}

function frame(message: Uint8Array): Uint8Array {
  const head = new Uint8Array(5)
  new DataView(head.buffer).setUint32(1, message.length)
  return concat(head, message)
}

function follow(stream: ClientHttp2Stream, connection: Connection, url: string, events: StreamEvents): void {
  let [status, text] = [undefined as number | undefined, '']
  const note = (headers: Record<string, unknown>) => {
    if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status'])
    else if (headers[':status'] !== undefined && headers[':status'] !== 200) text = `HTTP status ${headers[':status']}`
    if (typeof headers['grpc-message'] === 'string') text = decodeURIComponent(headers['grpc-message'])
  }
  let cause: Error | undefined
  let parts: Uint8Array[] = []
  let size = 0
  stream.on('response', note)
  stream.on('trailers', note)
  stream.on('data', (chunk: Uint8Array) => {
    parts.push(chunk)
    size += chunk.length
    // A long answer comes in many chunks: they are joined once they are a whole message.
    if (size < needed(parts)) return
    const rest = takeMessages(parts.length === 1 ? chunk : concat(...parts), events)
    parts = rest.length > 0 ? [rest] : []
    size = rest.length
  })
  stream.on('error', (error) => (cause = error))
  stream.on('close', () => {
    if (status !== undefined) return events.end(new GrpcError(status, text))
    const why = text || connection.failure || cause?.message || 'the connection broke'
    return events.end(new GrpcError(code.unavailable, `${url}: ${why}`, !connection.isMade))
  })
}

/** How many bytes the first message that has begun takes. */
function needed(parts: readonly Uint8Array[]): number {
  const head = parts[0]!.length >= 5 ? parts[0]! : concat(...parts)
  return head.length < 5 ? 5 : 5 + new DataView(head.buffer, head.byteOffset, 5).getUint32(1)
}

function takeMessages(bytes: Uint8Array, events: StreamEvents): Uint8Array {
  let at = 0
  while (bytes.length - at >= 5) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at, 5).getUint32(1)
    if (bytes.length - at < 5 + length) break
    events.message(bytes.subarray(at + 5, at + 5 + length))
    at += 5 + length
  }
  return bytes.subarray(at)
}

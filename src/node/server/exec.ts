// effect: WebSocket connections
// exec and attach as clients of Kubernetes 1.30 and later speak them.
import type { IncomingMessage } from 'node:http'
import { PassThrough, Writable } from 'node:stream'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { messageOf } from '#daemon/error.ts'
import { channel, decodeFrame, encodeExit, encodeFailure, encodeFrame, protocols } from '#node/server/channels.ts'
import type { Streams, TerminalSize } from '#node/runtime.ts'

/** What the client asks of a session. */
export type Session = {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

const sockets = new WebSocketServer({
  noServer: true,
  handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
})

export const parseSession = (query: URLSearchParams): Session => {
  const isSet = (name: string) => ['1', 'true'].includes(query.get(name) ?? '')
  const tty = isSet('tty')
  return { stdin: isSet('input'), stdout: isSet('output'), stderr: isSet('error') && !tty, tty }
}

/** Upgrades the connection, runs `act` with its streams, and tells the client how it ended. */
export function serveSession(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  session: Session,
  act: (streams: Streams, signal: AbortSignal) => Promise<number>,
): void {
  sockets.handleUpgrade(request, socket, head, (client) => {
    const gone = new AbortController()
    client.on('close', () => gone.abort())
    client.on('error', () => gone.abort())
    const streams = streamsOf(client, session)
    const ended = act(streams, gone.signal).then(encodeExit, (error: unknown) => encodeFailure(messageOf(error)))
    void ended.then(async (frame) => {
      // All output goes out before the word that there is no more.
      await Promise.all([streams.stdout, streams.stderr].map(flushed))
      client.send(frame)
      client.close(1000)
    })
  })
}

const flushed = (stream: Writable | undefined) =>
  new Promise<void>((resolve) => (stream ? stream.end(() => resolve()) : resolve()))

function streamsOf(client: WebSocket, session: Session): Streams {
  const stdin = session.stdin ? new PassThrough() : undefined
  const resizes = new Sizes()
  client.on('message', (data: Buffer) => {
    const frame = decodeFrame(data)
    if (frame?.kind === 'stdin') stdin?.write(frame.data)
    else if (frame?.kind === 'endOfStdin') stdin?.end()
    else if (frame?.kind === 'resize') resizes.put(frame)
  })
  client.on('close', () => {
    stdin?.end()
    resizes.end()
  })
  return {
    ...(stdin && { stdin }),
    ...(session.stdout && { stdout: writerOf(client, channel.stdout) }),
    ...(session.stderr && { stderr: writerOf(client, channel.stderr) }),
    resizes,
  }
}

/** Waits for the client to take each piece, so that a slow one is not drowned. */
const writerOf = (client: WebSocket, to: number) =>
  new Writable({
    write(data: Buffer, _encoding, done) {
      if (client.readyState !== client.OPEN) return done()
      return client.send(encodeFrame(to, data), () => done())
    },
  })

/** The newest size of the terminal, for whoever waits for it. */
class Sizes implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined
  #isOver = false
  #wake = () => {}

  put(size: TerminalSize): void {
    this.#latest = size
    this.#wake()
  }
  end(): void {
    this.#isOver = true
    this.#wake()
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize> {
    while (!this.#isOver) {
      const size = this.#latest
      this.#latest = undefined
      if (size) yield size
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

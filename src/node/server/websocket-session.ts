// effect: WebSocket connections
// exec and attach as clients of Kubernetes 1.30 and later speak them, and the client libraries of most languages.
import type { IncomingMessage } from 'node:http'
import { PassThrough, Writable, type Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { channel, decodeFrame, encodeFrame, encodeOutcome, protocols } from '#node/server/channels.ts'
import { Sizes, type Connected, type Session } from '#node/server/session.ts'
import type { Streams } from '#node/runtime.ts'

const sockets = new WebSocketServer({
  noServer: true,
  handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
})

/** Upgrades the connection. */
export function connectWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  session: Session,
): Promise<Connected> {
  return new Promise((resolve) =>
    sockets.handleUpgrade(request, socket, head, (client) => resolve(join(client, socket, session))),
  )
}

function join(client: WebSocket, socket: Duplex, session: Session): Connected {
  const gone = new AbortController()
  client.on('close', () => gone.abort())
  client.on('error', () => gone.abort())
  const streams = streamsOf(client, session)
  return {
    streams,
    signal: gone.signal,
    async end(outcome) {
      client.resume()
      await Promise.all([streams.stdout, streams.stderr].map(flushed))
      client.send(encodeOutcome(outcome))
      client.close(1000)
      // As Kubernetes does: a client that reads frame by frame from a socket that says nothing more would wait for ever.
      socket.end()
    },
  }
}

const flushed = (stream: Writable | undefined) =>
  new Promise<void>((resolve) => (stream ? stream.end(() => resolve()) : resolve()))

function streamsOf(client: WebSocket, session: Session): Streams {
  const stdin = session.stdin ? new PassThrough() : undefined
  const resizes = new Sizes()
  // A program that does not read its input makes the client wait.
  stdin?.on('drain', () => client.resume())
  client.on('message', (data: Buffer) => {
    const frame = decodeFrame(data)
    if (frame?.kind === 'stdin' && stdin?.writable && !stdin.write(frame.data)) client.pause()
    else if (frame?.kind === 'endOfStdin') stdin?.end()
    else if (frame?.kind === 'resize') resizes.put(frame.size)
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
export const writerOf = (client: WebSocket, to: number) =>
  new Writable({
    write(data: Buffer, _encoding, done) {
      if (client.readyState !== client.OPEN) return done()
      return client.send(encodeFrame(to, data), () => done())
    },
  })

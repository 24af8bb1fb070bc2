// effect: connections to pods
// port-forward: connections of a client to ports of a pod, many over one connection to the agent. By SPDY each is a pair of
// streams, one for its data, one for what went wrong; that SPDY may itself come through a WebSocket (kubectl 1.31). Client
// libraries use a WebSocket with two channels for each port.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws'
import { messageOf } from '#daemon/error.ts'
import { SpdyConnection, type SpdyStream } from '#node/server/spdy/connection.ts'
import { writerOf } from '#node/server/websocket-session.ts'

/** Connects to a port of the pod. */
export type Dial = (port: number) => Promise<Duplex>

export const forwardProtocol = 'portforward.k8s.io'
const tunnel = `SPDY/3.1+${forwardProtocol}`
const channels = 'v4.channel.k8s.io'

/** Kubernetes' own time for the second stream of a pair. */
const pairingMs = 30_000

const sockets = new WebSocketServer({
  noServer: true,
  handleProtocols: (offered) => [tunnel, channels].find((protocol) => offered.has(protocol)) ?? false,
})

/** Upgrades the connection to a WebSocket. `ports`: those of the request, which the channels are for. */
export function forwardWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  ports: readonly number[],
  dial: Dial,
): void {
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.on('error', () => client.terminate())
    if (client.protocol !== tunnel) return void forwardChannels(client, ports, dial)
    return forwardSpdy(createWebSocketStream(client), new Uint8Array(), dial)
  })
}

/** The connection has been upgraded to SPDY already. */
export function forwardSpdy(socket: Duplex, head: Uint8Array, dial: Dial): void {
  const halves = new Map<string, SpdyStream>()
  void new SpdyConnection(socket, head, {
    isServer: true,
    onStream(stream) {
      const { requestid = '', streamtype, port } = stream.headers
      const other = halves.get(requestid)
      if (!isPort(port) || (streamtype !== 'data' && streamtype !== 'error')) return void stream.destroy()
      if (other === undefined) {
        halves.set(requestid, stream)
        const late = setTimeout(() => stream.destroy(), pairingMs)
        stream.once('close', () => {
          clearTimeout(late)
          halves.delete(requestid)
        })
        stream.once('paired', () => clearTimeout(late))
        return undefined
      }
      halves.delete(requestid)
      other.emit('paired')
      if (other.headers['streamtype'] === streamtype) return void [stream, other].map((one) => one.destroy())
      const [data, error] = streamtype === 'data' ? [stream, other] : [other, stream]
      error.resume()
      return void forward(data, Number(port), dial, (message) => void error.end(message))
    },
  })
}

async function forward(data: Duplex, port: number, dial: Dial, tell: (message: string) => void): Promise<void> {
  try {
    const there = await dial(port)
    // A connection that breaks later on is simply over, as it is for whoever listens there.
    await Promise.all([pipeline(data, there), pipeline(there, data)]).catch(() => undefined)
    tell('')
  } catch (error) {
    tell(`failed to connect to localhost:${port} inside the pod: ${messageOf(error)}`)
    data.end()
    data.resume()
  }
}

async function forwardChannels(client: WebSocket, ports: readonly number[], dial: Dial): Promise<void> {
  const targets = new Map<number, Duplex>()
  const early = new Map<number, Buffer[]>()
  client.on('message', (message: Buffer) => {
    const target = targets.get(message[0]!)
    if (target === undefined) early.get(message[0]!)?.push(message.subarray(1))
    else if (target.writable && !target.write(message.subarray(1))) client.pause()
  })
  client.on('close', () => {
    for (const target of targets.values()) target.destroy()
  })
  await Promise.all(
    ports.map(async (port, index) => {
      const [data, error] = [2 * index, 2 * index + 1].map((to) => writerOf(client, to))
      // Each channel begins with the number of its port.
      for (const writer of [data, error]) writer!.write(Uint8Array.of(port & 0xff, port >> 8))
      early.set(2 * index, [])
      try {
        const target = await dial(port)
        target.on('error', () => target.destroy())
        target.on('drain', () => client.resume())
        targets.set(2 * index, target)
        for (const piece of early.get(2 * index)!) target.write(piece)
        await pipeline(target, data!).catch(() => undefined)
        client.resume()
      } catch (failure) {
        await new Promise<void>((resolve) =>
          error!.end(`cannot connect to port ${port}: ${messageOf(failure)}`, resolve),
        )
      }
    }),
  )
  client.close(1000)
}

const isPort = (text: string | undefined) => text !== undefined && /^\d{1,5}$/.test(text) && +text > 0 && +text < 65536

/** The ports of a request's query: `port=80&port=81` or `port=80,81`. */
export const parsePorts = (query: URLSearchParams): readonly number[] =>
  query
    .getAll('port')
    .flatMap((text) => text.split(','))
    .filter((text) => isPort(text))
    .map(Number)

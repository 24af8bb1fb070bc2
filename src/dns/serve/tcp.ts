// effect: TCP server
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { listenError } from '#dns/serve/udp.ts'
import type { Asked, Responder } from '#dns/serve/responder.ts'

const largest = 65_535
/** How long a client may take to send a whole query, and how long it may stay silent between two. */
const readTimeoutMs = 3000
const idleTimeoutMs = 10_000
/** Queries of one connection that may wait for upstreams at once; reading stops meanwhile. */
const mostPending = 100

/** Answers length-prefixed queries (RFC 7766: pipelined, in any order) on `address`:`port` until the signal aborts. */
export async function serveTcp(
  responder: Responder,
  at: { readonly address: string; readonly port: number; readonly signal: AbortSignal },
): Promise<{ readonly port: number }> {
  const server = createServer({ noDelay: true }, (socket) => converse(socket, responder))
  server.listen({ port: at.port, host: at.address, signal: at.signal })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, `tcp ${at.address}:${at.port}`)
  }
  server.on('error', () => undefined)
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : at.port }
}

function converse(socket: Socket, responder: Responder): void {
  let waiting: Buffer = Buffer.alloc(0)
  let pending = 0
  const out = Buffer.allocUnsafe(largest + 2)
  const body = out.subarray(2)
  const { remoteAddress: address = '', remotePort: port = 0, remoteFamily } = socket
  const isV6 = remoteFamily === 'IPv6'
  const client = isV6 ? `[${address}]:${port}` : `${address}:${port}`
  const asked: Asked = { transport: 'tcp', family: isV6 ? '2' : '1', client }
  const send = (bytes: number) => {
    if (bytes === 0) return socket.destroy()
    out.writeUInt16BE(bytes, 0)
    return socket.write(Buffer.from(out.subarray(0, bytes + 2)))
  }
  const read = () => {
    while (waiting.length >= 2 && pending < mostPending) {
      const length = waiting.readUInt16BE(0)
      if (waiting.length < length + 2) break
      const request = waiting.subarray(2, length + 2)
      waiting = waiting.subarray(length + 2)
      const answered = responder.respond(request, length, asked, body)
      if (typeof answered === 'number') send(answered)
      else {
        pending++
        void answered.then((bytes) => {
          pending--
          if (!socket.destroyed) send(bytes)
          if (pending === mostPending - 1) socket.resume()
          read()
        })
      }
    }
    if (pending >= mostPending) socket.pause()
    socket.setTimeout(waiting.length > 0 ? readTimeoutMs : idleTimeoutMs)
  }
  socket.setTimeout(idleTimeoutMs)
  socket.on('data', (chunk: Buffer) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
    read()
  })
  socket.on('timeout', () => socket.destroy())
  socket.on('error', () => socket.destroy())
}

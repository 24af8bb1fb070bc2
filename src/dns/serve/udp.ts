// effect: UDP socket
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Responder } from '#dns/serve/responder.ts'
import { UserError } from '#daemon/error.ts'

const largest = 65_535

/** Answers queries on `address`:`port` until the signal aborts. */
export async function serveUdp(
  responder: Responder,
  at: { readonly address: string; readonly port: number; readonly signal: AbortSignal },
): Promise<{ readonly port: number }> {
  const socket = createSocket({
    type: at.address.includes(':') ? 'udp6' : 'udp4',
    recvBufferSize: 4 << 20,
    signal: at.signal,
  })
  const out = Buffer.allocUnsafe(largest)
  const family = at.address.includes(':') ? '2' : '1'
  socket.on('message', (request, from) => {
    // The socket keeps the bytes until they are sent, and `out` is written again before that: hence the copies.
    const send = (bytes: number) => {
      if (bytes > 0 && !at.signal.aborted) socket.send(Buffer.from(out.subarray(0, bytes)), from.port, from.address)
    }
    const answered = responder.respond(
      request,
      request.length,
      { transport: 'udp', family, address: from.address, port: from.port },
      out,
    )
    if (typeof answered === 'number') send(answered)
    else void answered.then(send)
  })
  socket.bind(at.port, at.address)
  try {
    await once(socket, 'listening')
  } catch (error) {
    throw listenError(error, `udp ${at.address}:${at.port}`)
  }
  socket.on('error', () => undefined)
  return { port: socket.address().port }
}

/** Why an address cannot be listened on, in words that name the remedy. */
export function listenError(error: unknown, where: string): UserError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new UserError(`${where} is taken by another process`, {
      code,
      remedy: 'stop that process, or choose another --address or --port',
    })
  if (code === 'EACCES')
    return new UserError(`not allowed to listen on ${where}`, {
      code,
      remedy: 'run as root, or choose a --port above 1023',
    })
  return new UserError(`cannot listen on ${where}: ${(error as Error).message}`, { code: code ?? 'listen' })
}

// effect: UDP socket
// Under load the event loop hands over one datagram, and all that wait behind it are taken by batches: one system call
// for 64 of them, one for their answers.
import { createSocket } from 'node:dgram'
import { UserError } from '#daemon/error.ts'
import { clientAt, datagramBytes, mostAtOnce } from '#dns/serve/datagram.ts'
import type { Asked, Responder } from '#dns/serve/responder.ts'
import { DatagramBatch, openDatagram } from '#kernel/datagram-batch.ts'
import { sendTo } from '#kernel/ffi.ts'
import { parseIp } from '#lib/ip.ts'

/** After so many batches others get their turn: watches, timers, TCP. */
const mostBatches = 8

/** Answers queries on `address`:`port` until the signal aborts. */
export function serveUdp(
  responder: Responder,
  at: { readonly address: string; readonly port: number; readonly signal: AbortSignal },
): { readonly port: number } {
  const { fd, port } = openUdp(at.address, at.port, { shared: false })
  const isV6 = at.address.includes(':')
  const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4', signal: at.signal })
  const base = { transport: 'udp', family: isV6 ? '2' : '1' } as const
  const out = Buffer.allocUnsafe(datagramBytes)
  const batch = new DatagramBatch(fd, { most: mostAtOnce, size: datagramBytes })
  let current = 0
  const askedInBatch: Asked = {
    ...base,
    get client() {
      return clientAt(batch.senderOf(current))
    },
  }

  socket.on('message', (request, from) => {
    // The socket keeps the bytes until they are sent, and `out` is written again before that: hence the copies.
    const send = (bytes: number) => {
      if (bytes > 0 && !at.signal.aborted) socket.send(Buffer.from(out.subarray(0, bytes)), from.port, from.address)
    }
    const asked = { ...base, client: `${isV6 ? `[${from.address}]` : from.address}:${from.port}` }
    const answered = responder.respond(request, request.length, asked, out)
    if (typeof answered === 'number') send(answered)
    else void answered.then(send)
    for (let i = 0; i < mostBatches && answerBatch() === mostAtOnce; i++);
  })
  // Done when it returns: the socket is bound already.
  socket.bind({ fd })
  socket.on('error', () => undefined)
  return { port }

  function answerBatch(): number {
    if (at.signal.aborted) return 0
    const received = batch.receive()
    let answers = 0
    for (current = 0; current < received; current++) {
      const answer = batch.answer(answers)
      const answered = responder.respond(batch.datagram(current), batch.lengthOf(current), askedInBatch, answer)
      if (typeof answered === 'number') {
        if (answered > 0) batch.setAnswer(answers++, current, answered)
        continue
      }
      const sender = new Uint8Array(batch.senderOf(current))
      void answered.then((bytes) => {
        if (bytes > 0 && !at.signal.aborted) sendTo(fd, answer.subarray(0, bytes), sender)
      })
    }
    if (answers > 0) batch.send(answers)
    return received
  }
}

/** A bound socket, or a UserError that says why there is none. */
export function openUdp(address: string, port: number, o: { readonly shared: boolean }) {
  const bytes = parseIp(address)
  if (bytes === undefined)
    throw new UserError(`${JSON.stringify(address)} is no address to listen on`, {
      code: 'BadAddress',
      remedy: 'give an address, as in --address 0.0.0.0 or "bind 10.0.0.1"',
    })
  try {
    return openDatagram(bytes, port, o)
  } catch (error) {
    throw listenError(error, `udp ${address}:${port}`)
  }
}

/** Why an address cannot be listened on, in words that name the remedy. */
export function listenError(error: unknown, where: string): UserError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new UserError(`${where} is taken by another process`, {
      code,
      remedy: 'stop that process, or choose another port in the Corefile, as in ".:1053 {"',
    })
  if (code === 'EACCES')
    return new UserError(`not allowed to listen on ${where}`, {
      code,
      remedy: 'run as root, or choose a port above 1023 in the Corefile, as in ".:1053 {"',
    })
  if (code === 'EADDRNOTAVAIL')
    return new UserError(`${where}: this machine does not have that address`, {
      code,
      remedy: 'name an address of this machine, or give it one first (--node-local does)',
    })
  return new UserError(`cannot listen on ${where}: ${(error as Error).message}`, { code: code ?? 'listen' })
}

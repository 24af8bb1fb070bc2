// effect: HTTPS to the agents of nodes
// Hands a request on to the agent of a node, with its answer as it comes, and, after an upgrade, every byte in both
// directions: logs, exec, attach and port-forward, whatever they speak.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { pipeline, type Duplex } from 'node:stream'
import { badRequest, failure } from '#api/status.ts'
import { ask, type Destination } from '#apiserver/http/backend.ts'
import type { Request } from '#apiserver/http/body.ts'
import { textAnswer, statusAnswer, type Answer } from '#apiserver/http/answer.ts'
import type { Response } from '#apiserver/http/watch-stream.ts'

/** Headers that belong to one connection, and what nobody behind this server gets to see. */
const ownHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'authorization', 'host'])

export const passedHeaders = (headers: IncomingHttpHeaders): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name.startsWith(':') || name.startsWith('impersonate-') || ownHeaders.has(name)
        ? []
        : [[name, value]],
    ),
  )

/** An ordinary request. Resolves when the answer has been passed on, or with an answer to give instead. */
export function relay(
  to: Destination,
  path: string,
  incoming: Request,
  response: Response,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const outgoing = ask(to, { path, method: incoming.method ?? 'GET', headers: passedHeaders(incoming.headers) })
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy()
      resolve(response.headersSent ? undefined : unreachable(to, path, error))
    })
    outgoing.on('response', (answer) => {
      const code = answer.statusCode ?? 502
      if (code >= 400) return void readFailure(answer).then(resolve)
      const { connection: _c, 'keep-alive': _k, 'transfer-encoding': _t, ...headers } = answer.headers
      response.writeHead(code, headers)
      response.flushHeaders()
      pipeline(answer, response, () => resolve(undefined))
      return undefined
    })
    response.on('close', () => outgoing.destroy())
    outgoing.end()
  })
}

/** An upgrade: two sockets joined. */
export function relayUpgrade(
  to: Destination,
  path: string,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
): void {
  const headers = { ...passedHeaders(incoming.headers), connection: 'Upgrade' }
  const outgoing = ask(to, { path, method: incoming.method ?? 'GET', headers })
  outgoing.on('error', (error) => writeRaw(socket, unreachable(to, path, error)))
  outgoing.on('upgrade', (answer, other, otherHead) =>
    joinSockets(answer, { socket, head }, { socket: other, head: otherHead }),
  )
  outgoing.on('response', (answer) => void readFailure(answer).then((failed) => writeRaw(socket, failed)))
  socket.on('error', () => outgoing.destroy())
  socket.on('close', () => outgoing.destroy())
  outgoing.end()
}

type End = { readonly socket: Duplex; readonly head: Uint8Array }

/** The client hears that it has been upgraded; from here on bytes go through. */
export function joinSockets(answer: IncomingMessage, client: End, backend: End): void {
  const { socket } = client
  const other = backend.socket
  socket.write(headOf(answer))
  if (backend.head.length > 0) socket.write(backend.head)
  if (client.head.length > 0) other.write(client.head)
  socket.pipe(other)
  other.pipe(socket)
  socket.on('close', () => other.destroy())
  other.on('close', () => socket.destroy())
  other.on('error', () => socket.destroy())
}

/** The beginning of an answer as it came: its status and its headers. */
export function headOf(answer: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`]
  for (let at = 0; at < answer.rawHeaders.length; at += 2)
    lines.push(`${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** An answer on a socket that was to be upgraded. */
export function writeRaw(socket: Duplex, answer: Answer): void {
  if (answer.kind !== 'bytes') throw new Error('only a whole answer can end an upgrade')
  const body = Buffer.concat(answer.parts)
  const head = `HTTP/1.1 ${answer.code} \r\nContent-Type: ${answer.contentType}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
  socket.end(Buffer.concat([Buffer.from(head), body]))
}

function unreachable({ authority }: Destination, path: string, error: Error): Answer {
  const why = (error as { code?: string }).code === 'ECONNREFUSED' ? 'connect: connection refused' : error.message
  return statusAnswer(
    failure(500, '', `Get ${JSON.stringify(`https://${authority}${path}`)}: dial tcp ${authority}: ${why}`),
  )
}

/** What an agent refuses, in the form in which the server refuses. */
async function readFailure(answer: IncomingMessage): Promise<Answer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of answer as AsyncIterable<Uint8Array>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  const code = answer.statusCode ?? 502
  if (answer.headers['content-type']?.startsWith('application/json')) return textAnswer(code, text, 'application/json')
  return statusAnswer(code === 400 ? badRequest(text.trim()) : failure(code, '', text.trim()))
}

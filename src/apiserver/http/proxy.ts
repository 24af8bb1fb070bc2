// effect: HTTP to pods and nodes
// What is asked through a /proxy, passed on with its body, and what comes back, with links and redirects made to fit.

import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { pipeline, type Duplex } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { serviceUnavailable } from '#api/status.ts'
import { statusAnswer, type Answer } from '#apiserver/http/answer.ts'
import { ask, type Destination } from '#apiserver/http/backend.ts'
import type { Request } from '#apiserver/http/body.ts'
import { rewriteHtml, rewriteUrl, type ProxiedPage } from '#apiserver/http/proxied-links.ts'
import { headOf, joinSockets, passedHeaders, writeRaw } from '#apiserver/http/relay.ts'
import type { Response } from '#apiserver/http/watch-stream.ts'

type Proxied = Extract<Answer, { kind: 'proxy' }>

/** A longer page is passed on as it is. */
const mostPageBytes = 4 * 1024 * 1024

/** Resolves when the answer has been passed on, or with an answer to give instead. */
export function proxy(
  to: Destination,
  asked: Proxied,
  incoming: Request,
  response: Response,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const { options, page } = requestOf(asked, incoming)
    const outgoing = ask(to, options)
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy()
      resolve(response.headersSent ? undefined : unreachable(error))
    })
    outgoing.on('response', (answer) => void passBack(answer, response, page).then(() => resolve(undefined)))
    response.on('close', () => outgoing.destroy())
    // Where it breaks off the other end hears of it as an error.
    pipeline(incoming, outgoing, () => {})
  })
}

/** A WebSocket, or whatever else the two ends agree on. */
export function proxyUpgrade(
  to: Destination,
  asked: Proxied,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
): void {
  const { options } = requestOf(asked, incoming)
  const outgoing = ask(to, { ...options, headers: { ...options.headers, connection: 'Upgrade' } })
  outgoing.on('error', (error) => writeRaw(socket, unreachable(error)))
  outgoing.on('upgrade', (answer, other, otherHead) =>
    joinSockets(answer, { socket, head }, { socket: other, head: otherHead }),
  )
  outgoing.on('response', (answer) => {
    // No: as it came, but for how its end is marked.
    const { rawHeaders } = answer
    answer.rawHeaders = rawHeaders.flatMap((name, at) =>
      at % 2 === 1 || /^(connection|transfer-encoding)$/i.test(name) ? [] : [name, rawHeaders[at + 1]!],
    )
    answer.rawHeaders.push('Connection', 'close')
    socket.write(headOf(answer))
    pipeline(answer, socket, () => {})
  })
  socket.on('error', () => outgoing.destroy())
  socket.on('close', () => outgoing.destroy())
  outgoing.end()
}

function requestOf({ pathAndQuery, prefix }: Proxied, incoming: IncomingMessage) {
  const host = incoming.headers.host ?? String(incoming.headers[':authority'] ?? '')
  const path = pathAndQuery.replace(/\?.*/, '')
  const before = incoming.headers['x-forwarded-for']
  const from = incoming.socket.remoteAddress ?? ''
  const headers: OutgoingHttpHeaders = {
    ...passedHeaders(incoming.headers),
    host,
    'x-forwarded-uri': prefix + path,
    'x-forwarded-for': before === undefined ? from : `${[before].flat().join(', ')}, ${from}`,
  }
  return { options: { path: pathAndQuery, method: incoming.method ?? 'GET', headers }, page: { prefix, host } }
}

const unreachable = (error: Error): Answer =>
  statusAnswer(serviceUnavailable(`error trying to reach service: ${error.message}`))

async function passBack(answer: IncomingMessage, response: Response, page: ProxiedPage): Promise<void> {
  const { connection: _c, 'keep-alive': _k, 'transfer-encoding': _t, ...rest } = answer.headers
  const { location } = rest
  const headers = location === undefined ? rest : { ...rest, location: rewriteUrl(location, page) }
  const code = answer.statusCode ?? 502
  const encoding = headers['content-encoding'] ?? ''
  const isPage = /^text\/html *(;|$)/i.test(headers['content-type'] ?? '') && ['', 'gzip'].includes(encoding)
  if (!isPage || location !== undefined || response.req?.method === 'HEAD')
    return stream(code, headers, answer, response, [])
  const { chunks, isWhole } = await collect(answer)
  if (!isWhole) return stream(code, headers, answer, response, chunks)
  const { 'content-length': _l, ...ofPage } = headers
  const bytes = rewritten(Buffer.concat(chunks), encoding, page)
  response.writeHead(code, { ...ofPage, 'content-length': bytes.length })
  response.end(bytes)
  return undefined
}

function stream(
  code: number,
  headers: OutgoingHttpHeaders,
  answer: IncomingMessage,
  response: Response,
  first: readonly Uint8Array[],
): Promise<void> {
  response.writeHead(code, headers)
  response.flushHeaders()
  for (const chunk of first) response.write(chunk)
  return new Promise((resolve) => pipeline(answer, response, () => resolve()))
}

/** As much as a page may have; the rest is left unread. */
function collect(answer: IncomingMessage): Promise<{ chunks: Uint8Array[]; isWhole: boolean }> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const end = (isWhole: boolean) => {
      answer.off('data', take)
      resolve({ chunks, isWhole })
    }
    const take = (chunk: Uint8Array) => {
      chunks.push(chunk)
      size += chunk.length
      if (size <= mostPageBytes) return
      answer.pause()
      end(false)
    }
    answer.on('data', take)
    answer.on('end', () => end(true))
    answer.on('close', () => end(true))
  })
}

function rewritten(bytes: Uint8Array, encoding: string, page: ProxiedPage): Uint8Array {
  if (encoding === '') return Buffer.from(rewriteHtml(Buffer.from(bytes).toString('latin1'), page), 'latin1')
  try {
    return gzipSync(rewritten(gunzipSync(bytes, { maxOutputLength: mostPageBytes }), '', page))
  } catch {
    return bytes
  }
}

// effect: HTTPS to the agents of nodes
// Hands a request on to the agent of a node, with its body, its answer as it comes, and, after an upgrade, every byte
// in both directions: logs, exec, attach and port-forward, whatever they speak.

import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { pipeline, type Duplex } from 'node:stream'
import type { Node } from '#api/core.ts'
import { badRequest, failure, StatusError } from '#api/status.ts'
import type { Request } from '#apiserver/http/body.ts'
import { textAnswer, statusAnswer, type Answer } from '#apiserver/http/answer.ts'
import type { Response } from '#apiserver/http/watch-stream.ts'

/** What the server shows to agents, and how it knows them. Certificates and keys are PEM texts. */
export type AgentTrust = {
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** absent: any certificate will do, as is the default upstream */
  readonly ca?: string | undefined
}
export type AgentAddress = { readonly host: string; readonly port: number }

/** Where the agent of a node listens. Throws StatusError where the node does not say. */
export function agentOf(node: Node | undefined, name: string): AgentAddress {
  const addresses = node?.status?.addresses ?? []
  for (const type of ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP'].slice(2)) {
    const host = addresses.find((address) => address.type === type)?.address
    if (host) return { host, port: node?.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250 }
  }
  const why =
    node === undefined ? `nodes ${JSON.stringify(name)} not found` : `no preferred addresses found; known addresses: []`
  throw new StatusError(failure(500, '', why))
}

/** Headers that belong to one connection, and what the agent must not get to see. */
const ownHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'authorization', 'host'])

function optionsOf(
  agent: AgentAddress,
  trust: AgentTrust,
  pathAndQuery: string,
  method: string,
  headers: IncomingHttpHeaders,
): RequestOptions {
  const passed = Object.fromEntries(
    Object.entries(headers).filter(
      ([name, value]) => value !== undefined && !name.startsWith(':') && !ownHeaders.has(name),
    ),
  )
  return {
    host: agent.host,
    port: agent.port,
    path: pathAndQuery,
    method,
    headers: passed,
    cert: trust.cert,
    key: trust.key,
    ca: trust.ca,
    rejectUnauthorized: trust.ca !== undefined,
    agent: false,
  }
}

/** An ordinary request. Resolves when the answer has been passed on, or with an answer to give instead. */
export function relay(
  agent: AgentAddress,
  trust: AgentTrust,
  pathAndQuery: string,
  incoming: Request,
  response: Response,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const outgoing = httpsRequest(optionsOf(agent, trust, pathAndQuery, incoming.method ?? 'GET', incoming.headers))
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy()
      resolve(response.headersSent ? undefined : unreachable(agent, pathAndQuery, error))
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
  agent: AgentAddress,
  trust: AgentTrust,
  pathAndQuery: string,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
): void {
  const options = optionsOf(agent, trust, pathAndQuery, incoming.method ?? 'GET', incoming.headers)
  const outgoing = httpsRequest({ ...options, headers: { ...(options.headers as object), connection: 'Upgrade' } })
  outgoing.on('error', (error) => writeRaw(socket, unreachable(agent, pathAndQuery, error)))
  outgoing.on('upgrade', (answer, other, otherHead) => {
    const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`]
    for (let at = 0; at < answer.rawHeaders.length; at += 2)
      lines.push(`${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}`)
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    if (otherHead.length > 0) socket.write(otherHead)
    if (head.length > 0) other.write(head)
    socket.pipe(other)
    other.pipe(socket)
    socket.on('close', () => other.destroy())
    other.on('close', () => socket.destroy())
    other.on('error', () => socket.destroy())
  })
  outgoing.on('response', (answer) => void readFailure(answer).then((failed) => writeRaw(socket, failed)))
  socket.on('error', () => outgoing.destroy())
  outgoing.end()
}

/** An answer on a socket that was to be upgraded. */
export function writeRaw(socket: Duplex, answer: Answer): void {
  if (answer.kind !== 'bytes') throw new Error('only a whole answer can end an upgrade')
  const body = Buffer.concat(answer.parts)
  const head = `HTTP/1.1 ${answer.code} \r\nContent-Type: ${answer.contentType}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
  socket.end(Buffer.concat([Buffer.from(head), body]))
}

function unreachable({ host, port }: AgentAddress, pathAndQuery: string, error: Error): Answer {
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const why = (error as { code?: string }).code === 'ECONNREFUSED' ? 'connect: connection refused' : error.message
  return statusAnswer(failure(500, '', `Get ${JSON.stringify(`https://${at}${pathAndQuery}`)}: dial tcp ${at}: ${why}`))
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

// effect: HTTP requests
// One HTTP/1.1 request at a time, over connections that are kept open. What is asked is the client's business.
import type { Agent, IncomingMessage } from 'node:http'
import { Agent as HttpAgent, request as httpRequest } from '#daemon/http.ts'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import type { ClientConfig, Identity } from '#client/kubeconfig.ts'
import { messageOf } from '#daemon/error.ts'
import { version } from '#daemon/version.ts'

/** No answer came, or it broke off. */
export class ConnectionError extends Error {
  readonly code = 'ConnectionError'
  constructor(what: string, cause: unknown) {
    super(`${what}: ${messageOf(cause)}`, { cause })
    this.name = 'ConnectionError'
  }
}

export type Request = {
  readonly method: string
  /** with query, below the server's URL */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
  /** give up when nothing comes for so long; undefined: never */
  readonly idleMs?: number | undefined
}
export type Send = (request: Request) => Promise<IncomingMessage>

const tokenAgeMs = 10_000
const identityAgeMs = 5000
/** Kernels ask a silent peer after so long, and give it up ten seconds later. */
const keepAliveMs = 15_000
/**
 * A connection that is not there by then is tried anew, from another port: a first packet that met no rule for the
 * server's virtual address leaves a trace in conntrack, along which all its repetitions are lost.
 */
const connectMs = 3000

/** Answers a function that sends requests to the server; it resolves when the headers of the answer are there. */
export function createTransport(
  config: ClientConfig,
  /** connections that stay open for the next request */
  idleConnections = 4,
): { readonly send: Send; close(): void } {
  const base = new URL(config.server)
  const { dial } = config
  const isHttps = base.protocol === 'https:' && dial === undefined
  const options = { keepAlive: true, maxFreeSockets: idleConnections, scheduling: 'lifo' as const }
  const serverName = config.serverName ?? (isIP(base.hostname.replaceAll(/[[\]]/g, '')) ? '' : base.hostname)
  const agentOf = ({ cert, key }: Identity) =>
    isHttps
      ? new HttpsAgent({
          ...options,
          ...(config.ca !== undefined && { ca: config.ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
          servername: serverName,
          rejectUnauthorized: config.insecure !== true,
        })
      : dial
        ? dialling(new HttpAgent(options), dial)
        : new HttpAgent(options)
  const agent = renewing(config, agentOf)
  const open = isHttps ? httpsRequest : httpRequest
  const target = {
    host: base.hostname.replaceAll(/[[\]]/g, ''),
    port: base.port === '' ? (isHttps ? 443 : 80) : base.port,
  }
  const prefix = base.pathname.replace(/\/$/, '')
  const token = tokenReader(config)

  const once = (request: Request, mayRetry: boolean): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const bearer = token()
      const { method, body, signal, idleMs } = request
      const headers = {
        'user-agent': `fairway/${version}`,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
        ...request.headers,
      }
      const sent = open({
        ...target,
        agent: agent(),
        method,
        path: prefix + request.path,
        headers,
        ...(signal && { signal }),
      })
      const fail = (error: NodeJS.ErrnoException) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        // The server closed a kept connection just when we used it again: no one has seen this request.
        if (mayRetry && sent.reusedSocket && error.code === 'ECONNRESET' && method !== 'POST')
          return resolve(once(request, false))
        reject(new ConnectionError(`${method} ${config.server}${request.path.split('?')[0]}`, error))
      }
      sent.on('socket', (socket) => {
        // What is no cable cannot break.
        if (dial) return
        socket.setKeepAlive(true, keepAliveMs)
        if (!socket.connecting) return
        const late = setTimeout(
          () => sent.destroy(new Error(`no connection within ${connectMs / 1000} seconds`)),
          connectMs,
        )
        // `connect` is TCP's, before any TLS; `close` comes where it fails.
        socket.once('connect', () => clearTimeout(late)).once('close', () => clearTimeout(late))
      })
      sent.on('error', fail)
      if (idleMs !== undefined && !dial)
        sent.setTimeout(idleMs, () => sent.destroy(new Error(`no answer for ${idleMs / 1000} seconds`)))
      sent.on('response', resolve)
      sent.end(body)
    })
  return { send: (request) => once(request, true), close: () => agent().destroy() }
}

/** The agent that holds the connections; another one once the client has another certificate. */
function renewing(config: ClientConfig, agentOf: (identity: Identity) => Agent) {
  let agent = agentOf({ cert: config.cert, key: config.key })
  let askedAt = performance.now()
  return () => {
    const now = performance.now()
    if (config.renew === undefined || now - askedAt < identityAgeMs) return agent
    askedAt = now
    const renewed = renewedIdentity(config)
    if (renewed === undefined) return agent
    // What goes on over the old connections may end there.
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
    agent = agentOf(renewed)
    return agent
  }
}

/** Nothing while its files are being written: they are looked at again. */
function renewedIdentity({ renew }: ClientConfig): Identity | undefined {
  try {
    return renew?.()
  } catch {
    return undefined
  }
}

/** An agent for streams that are no sockets. */
function dialling(agent: InstanceType<typeof HttpAgent>, dial: () => Duplex): InstanceType<typeof HttpAgent> {
  const { keepSocketAlive, reuseSocket } = { keepSocketAlive: () => true, reuseSocket: () => undefined }
  return Object.assign(agent, { createConnection: dial, keepSocketAlive, reuseSocket })
}

function tokenReader({ token, tokenFile }: ClientConfig): () => string | undefined {
  if (tokenFile === undefined) return () => token
  let value = token
  let readAt = -Infinity
  return () => {
    const now = performance.now()
    if (now - readAt < tokenAgeMs) return value
    readAt = now
    try {
      value = readFileSync(tokenFile, 'utf8').trim()
    } catch (error) {
      // Between two versions of a projected token the old one still counts.
      if (value === undefined) throw new ConnectionError(`token file ${tokenFile}`, error)
    }
    return value
  }
}

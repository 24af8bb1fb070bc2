// effect: HTTPS server
// The door: every request is authenticated, authorized, read, answered and counted here.

import { randomUUID } from 'node:crypto'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Readable, pipeline, type Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { nodes } from '#api/core.ts'
import { failure, noSuchResource, tooManyRequests, unauthorized } from '#api/status.ts'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import { attributesOf, refusalOf } from '#apiserver/auth/attributes.ts'
import type { Authorizer } from '#apiserver/auth/authorizer.ts'
import { impersonate } from '#apiserver/auth/impersonate.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { statusAnswer, warningHeader, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'
import { authenticate, type VerifyToken } from '#apiserver/http/authenticate.ts'
import { readBody, type Request } from '#apiserver/http/body.ts'
import { dispatch, statusOf, type Extra } from '#apiserver/http/dispatch.ts'
import { createFairness, type Fairness } from '#apiserver/http/fairness.ts'
import type { RequestMetrics } from '#apiserver/http/metrics.ts'
import { agentOf, relay, relayUpgrade, writeRaw, type AgentTrust } from '#apiserver/http/relay.ts'
import { targetOf, type Target } from '#apiserver/http/target.ts'
import { streamWatch, type Response } from '#apiserver/http/watch-stream.ts'
import type { User } from '#apiserver/kind.ts'

export type Door = {
  readonly engine: Engine
  readonly authorizer: Authorizer
  readonly verifyToken: VerifyToken | undefined
  /** what is answered without an object behind it */
  readonly extra: Extra
  /** paths that need neither name nor right */
  isOpen(path: string): boolean
  readonly trust: AgentTrust
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RequestMetrics
  /** aborted when the server ends: watches end with it */
  readonly signal: AbortSignal
}

type OpenDoor = Door & { readonly fairness: Fairness }

export type TlsFiles = { readonly cert: string; readonly key: string; readonly clientCa: string | undefined }

const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** Agents ask every ten seconds: longer than that, so that each does not cost a handshake. */
const idleMs = 180_000

export function createDoor(given: Door, tls: TlsFiles): Http2SecureServer {
  const door: OpenDoor = { ...given, fairness: createFairness() }
  const http1 = { allowHTTP1: true, keepAliveTimeout: idleMs }
  const server = createSecureServer({
    ...http1,
    minVersion: 'TLSv1.2',
    cert: tls.cert,
    key: tls.key,
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: false }),
    settings: { maxConcurrentStreams: 250, initialWindowSize: 1024 * 1024 },
  })
  server.on(
    'request',
    (request, response) => void serve(door, request as unknown as Request, response as unknown as Response),
  )
  // The type of an HTTP/2 server does not know that with allowHTTP1 it upgrades as an HTTP/1 server does.
  server.on(
    'upgrade' as 'connect',
    ((request: IncomingMessage, socket: Duplex, head: Uint8Array) =>
      void serveUpgrade(door, request, socket, head)) as never,
  )
  // A watch event must not wait for the acknowledgement of the one before (40 ms where the peer delays it).
  server.on('connection', (socket: Socket) => void socket.setNoDelay(true))
  server.on('sessionError', () => {})
  server.on('clientError', (_error: Error, socket: Duplex) => void socket.destroy())
  return server
}

async function serve(door: OpenDoor, request: Request, response: Response): Promise<void> {
  const begunMs = door.clock.monotonicMs()
  const { path, query } = urlOf(request)
  const target = targetOf(request.method ?? 'GET', path, query)
  const done = door.metrics.begin(target)
  response.setHeader('audit-id', randomUUID())
  const turn: Turn = { leave: () => {} }
  let isGone = false
  response.on('close', () => {
    isGone = true
    turn.leave()
  })
  try {
    const answer = await answerOf(door, request, target, path, query, turn)
    // What goes on for long is no longer one of those that others wait for, nor is what its client does not read.
    // While it waited for its turn the client may have gone away.
    if (isGone) return done(499, door.clock.monotonicMs() - begunMs)
    if (answer.kind !== 'bytes') turn.leave()
    const cancel = door.clock.after(mostSendMs, () => turn.leave())
    const code = await send(door, request, response, answer, target)
    cancel()
    done(code, door.clock.monotonicMs() - begunMs)
  } catch (error) {
    done(500, door.clock.monotonicMs() - begunMs)
    door.log.error('a request failed', { path, error: String(error) })
    response.destroy()
  } finally {
    turn.leave()
  }
}

/** A place among those who go on at the same time; left once, however often it is asked. */
type Turn = { leave: () => void }
const mostSendMs = 10_000

/** Undefined: it has its turn. */
async function waitForTurn(door: OpenDoor, user: User, target: Target, turn: Turn): Promise<Answer | undefined> {
  const leave = await door.fairness.enter(user, target)
  if (leave === undefined) return statusAnswer(tooManyRequests('Too many requests, please try again later.', 1))
  let isIn = true
  turn.leave = () => {
    if (!isIn) return
    isIn = false
    // Between lists the event loop must see who else has asked.
    if (door.fairness.isHeavy(target)) setImmediate(leave)
    else leave()
  }
  return undefined
}

type Admission =
  | { readonly kind: 'admitted'; readonly user: User }
  | { readonly kind: 'refused'; readonly answer: Answer }

async function admit(
  door: OpenDoor,
  request: Request,
  target: Target,
  path: string,
  query: URLSearchParams,
): Promise<Admission> {
  const who = await authenticate(request.socket as TLSSocket, request.headers.authorization, door.verifyToken)
  if (door.isOpen(path)) return { kind: 'admitted', user: who.kind === 'user' ? who.user : anonymous }
  if (who.kind === 'stranger') return { kind: 'refused', answer: statusAnswer(unauthorized()) }
  const real = who.kind === 'user' ? who.user : anonymous
  const acting = impersonate(real, request.headers, door.authorizer)
  if (acting.kind === 'refused') return { kind: 'refused', answer: statusAnswer(acting.status) }
  const attributes = attributesOf(acting.user, target, query)
  const { allowed, reason } = door.authorizer.decide(attributes)
  if (allowed) return { kind: 'admitted', user: acting.user }
  return { kind: 'refused', answer: statusAnswer(refusalOf(attributes, reason)) }
}

async function answerOf(
  door: OpenDoor,
  request: Request,
  target: Target,
  path: string,
  query: URLSearchParams,
  turn: Turn,
): Promise<Answer> {
  try {
    const admission = await admit(door, request, target, path, query)
    if (admission.kind === 'refused') return admission.answer
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const body = isRead ? new Uint8Array() : await readBody(request, door.clock)
    const refused = await waitForTurn(door, admission.user, target, turn)
    if (refused !== undefined) return refused
    const asked = apiRequest(request, path, query, admission.user, body)
    return await dispatch(door.engine, asked, target, door.extra, (error) => report(door, path, error))
  } catch (error) {
    return statusAnswer(statusOf(error, () => report(door, path, error)))
  }
}

const report = (door: OpenDoor, path: string, error: unknown) =>
  door.log.error('an unexpected error', {
    path,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })

function apiRequest(request: Request, path: string, query: URLSearchParams, user: User, body: Uint8Array): ApiRequest {
  const header = (name: string) => {
    const value = request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  return { method: request.method ?? 'GET', path, query, header, user, body }
}

function urlOf(request: Request): { path: string; query: URLSearchParams } {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  if (mark < 0) return { path: url, query: new URLSearchParams() }
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) }
}

/** More than this is sent as fast as the client reads, and not before. */
const streamedBytes = 512 * 1024

/** Answers the HTTP status that was sent. */
async function send(
  door: OpenDoor,
  request: Request,
  response: Response,
  answer: Answer,
  target: Target,
): Promise<number> {
  switch (answer.kind) {
    case 'watch': {
      const refused = await streamWatch(response, answer, door.clock, door.signal)
      return refused === undefined ? 200 : send(door, request, response, statusAnswer(refused), target)
    }
    case 'relay': {
      const agent = await findAgent(door, answer.node)
      const instead =
        'answer' in agent ? agent.answer : await relay(agent, door.trust, answer.pathAndQuery, request, response)
      return instead === undefined ? response.statusCode : send(door, request, response, instead, target)
    }
    case 'stream':
      response.writeHead(200, { 'content-type': answer.contentType })
      await pipelineOf(answer.chunks, response)
      return 200
    case 'bytes': {
      const size = answer.parts.reduce((sum, { length }) => sum + length, 0)
      const headers: Record<string, string | string[]> = {
        'content-type': answer.contentType,
        'content-length': String(size),
        'cache-control': 'no-cache, private',
        ...answer.headers,
      }
      if (answer.warnings !== undefined && answer.warnings.length > 0)
        headers['warning'] = answer.warnings.map(warningHeader)
      response.writeHead(answer.code, headers)
      const isHead = request.method === 'HEAD'
      if (isHead) response.end()
      else if (size <= streamedBytes)
        response.end(answer.parts.length === 1 ? answer.parts[0]! : Buffer.concat(answer.parts))
      else await stream(answer.parts, response)
      return answer.code
    }
  }
}

const stream = (parts: readonly Uint8Array[], response: Response) => pipelineOf(batches(parts), response)

/** As fast as the client reads. */
function pipelineOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, response: Response): Promise<void> {
  return new Promise((resolve) =>
    pipeline(Readable.from(chunks, { objectMode: true, highWaterMark: 2 }), response, () => resolve()),
  )
}

function* batches(parts: readonly Uint8Array[]): Iterable<Uint8Array> {
  let batch: Uint8Array[] = []
  let size = 0
  for (const part of parts) {
    batch.push(part)
    size += part.length
    if (size < 128 * 1024) continue
    yield Buffer.concat(batch, size)
    batch = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(batch, size)
}

async function findAgent(door: OpenDoor, node: string) {
  try {
    return agentOf(await door.engine.objects.get(nodes, '', node), node)
  } catch (error) {
    return { answer: statusAnswer(statusOf(error, () => {})) }
  }
}

/** Requests that become something else than HTTP: exec, attach, port-forward. */
async function serveUpgrade(door: OpenDoor, request: IncomingMessage, socket: Duplex, head: Uint8Array): Promise<void> {
  socket.on('error', () => socket.destroy())
  const { path, query } = urlOf(request)
  const target = targetOf(request.method ?? 'GET', path, query)
  const done = door.metrics.begin(target)
  try {
    const answer = await upgradeAnswer(door, request, target, path, query)
    if (answer.kind === 'relay') {
      const agent = await findAgent(door, answer.node)
      if ('answer' in agent) return writeRaw(socket, agent.answer)
      relayUpgrade(agent, door.trust, answer.pathAndQuery, request, socket, head)
      socket.on('close', () => done(101, 0))
      return undefined
    }
    done(answer.kind === 'bytes' ? answer.code : 400, 0)
    if (answer.kind === 'bytes') writeRaw(socket, answer)
    else writeRaw(socket, statusAnswer(failure(400, 'BadRequest', 'this request cannot be upgraded')))
  } catch (error) {
    report(door, path, error)
    socket.destroy()
  }
  return undefined
}

async function upgradeAnswer(
  door: OpenDoor,
  request: IncomingMessage,
  target: Target,
  path: string,
  query: URLSearchParams,
): Promise<Answer> {
  // A watch by WebSocket is not served; a client that offers it for anything but a relay is answered without.
  if (target.kind !== 'resource' || target.subresource === '') return statusAnswer(noSuchResource())
  const admission = await admit(door, request, target, path, query)
  if (admission.kind === 'refused') return admission.answer
  const body = new Uint8Array()
  return dispatch(door.engine, apiRequest(request, path, query, admission.user, body), target, door.extra, (error) =>
    report(door, path, error),
  )
}

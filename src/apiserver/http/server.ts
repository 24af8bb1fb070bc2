// effect: HTTPS server
// The door: every request is authenticated, authorized, read, answered and counted here.

import { randomUUID } from 'node:crypto'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { tooManyRequests } from '#api/status.ts'
import { statusAnswer, type Answer } from '#apiserver/http/answer.ts'
import { readBody, type Request } from '#apiserver/http/body.ts'
import { dispatch, statusOf } from '#apiserver/http/dispatch.ts'
import { admit, apiRequest, askedOf, report, type Asked, type Door } from '#apiserver/http/door.ts'
import { createFairness, type Fairness } from '#apiserver/http/fairness.ts'
import { endIdleSessions } from '#apiserver/http/idle-sessions.ts'
import { createInnerDoor, type Dial } from '#apiserver/http/inner-door.ts'
import { send } from '#apiserver/http/send.ts'
import { isProxied, type Target } from '#apiserver/http/target.ts'
import { serveUpgrade } from '#apiserver/http/upgrade.ts'
import type { Response } from '#apiserver/http/watch-stream.ts'
import type { User } from '#apiserver/kind.ts'

type OpenDoor = Door & { readonly fairness: Fairness }

export type TlsFiles = { readonly cert: string; readonly key: string; readonly clientCa: string | undefined }

/** Agents ask every ten seconds: longer than that, so that each does not cost a handshake. */
const idleMs = 180_000
/** Connections of HTTP/2 on which nothing is asked. */
const mostIdle = 1000
/** As in Go's server, for a handshake as for the head of a request. */
const headMs = 32_000

export function createDoor(given: Door, tls: TlsFiles): { readonly server: Http2SecureServer; readonly dial: Dial } {
  const door: OpenDoor = { ...given, fairness: createFairness() }
  const http1 = { allowHTTP1: true, keepAliveTimeout: idleMs, headersTimeout: headMs }
  const server = createSecureServer({
    ...http1,
    minVersion: 'TLSv1.2',
    handshakeTimeout: headMs,
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
  endIdleSessions(server, door.clock, { idleMs, mostIdle })
  server.on('sessionError', () => {})
  server.on('clientError', (_error: Error, socket: Duplex) => void socket.destroy())
  return { server, dial: createInnerDoor((request, response) => void serve(door, request, response)) }
}

async function serve(door: OpenDoor, request: Request, response: Response): Promise<void> {
  const begunMs = door.clock.monotonicMs()
  const asked = askedOf(request)
  const done = door.metrics.begin(asked.target)
  response.setHeader('audit-id', randomUUID())
  const turn: Turn = { leave: () => {} }
  let isGone = false
  response.on('close', () => {
    isGone = true
    turn.leave()
  })
  try {
    const answer = await answerOf(door, request, asked, turn)
    // What goes on for long is no longer one of those that others wait for, nor is what its client does not read.
    // While it waited for its turn the client may have gone away.
    if (isGone) return done(499, door.clock.monotonicMs() - begunMs)
    if (answer.kind !== 'bytes') turn.leave()
    const cancel = door.clock.after(mostSendMs, () => turn.leave())
    const code = await send(door, request, response, answer)
    cancel()
    if (code === tooLate && !request.complete) hangUp(request, response)
    done(code, door.clock.monotonicMs() - begunMs)
  } catch (error) {
    done(500, door.clock.monotonicMs() - begunMs)
    door.log.error('a request failed', { path: asked.path, error: String(error) })
    response.destroy()
  } finally {
    turn.leave()
  }
}

const tooLate = 504

/** What is still to come of a body that took too long is not waited for. */
function hangUp(request: Request, response: Response): void {
  if (response.writableFinished) request.destroy()
  else response.once('finish', () => request.destroy())
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

async function answerOf(door: OpenDoor, request: Request, asked: Asked, turn: Turn): Promise<Answer> {
  const { path, target } = asked
  try {
    const admission = await admit(door, request, asked)
    if (admission.kind === 'refused') return admission.answer
    // What is asked through a /proxy goes on as it comes, however long it is.
    const hasNoBody = request.method === 'GET' || request.method === 'HEAD' || isProxied(target)
    const body = hasNoBody ? new Uint8Array() : await readBody(request, door.clock)
    const refused = await waitForTurn(door, admission.user, target, turn)
    if (refused !== undefined) return refused
    const wanted = apiRequest(request, asked, admission.user, body)
    return await dispatch(door.engine, wanted, target, door.extra, (error) => report(door, path, error))
  } catch (error) {
    return statusAnswer(statusOf(error, () => report(door, path, error)))
  }
}

// effect: HTTPS requests
// What every request meets, whatever becomes of it: its URL is read, and who asks is admitted or refused.

import type { TLSSocket } from 'node:tls'
import { unauthorized } from '#api/status.ts'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import { attributesOf, refusalOf } from '#apiserver/auth/attributes.ts'
import type { Authorizer } from '#apiserver/auth/authorizer.ts'
import { impersonate } from '#apiserver/auth/impersonate.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { statusAnswer, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'
import { authenticate, type VerifyToken } from '#apiserver/http/authenticate.ts'
import type { Request } from '#apiserver/http/body.ts'
import type { Extra } from '#apiserver/http/dispatch.ts'
import type { RequestMetrics } from '#apiserver/http/metrics.ts'
import type { AgentTrust } from '#apiserver/http/backend.ts'
import { targetOf, type Target } from '#apiserver/http/target.ts'
import type { User } from '#apiserver/kind.ts'

export type Door = {
  readonly engine: Engine
  readonly authorizer: Authorizer
  readonly verifyToken: VerifyToken | undefined
  /** what is answered without an object behind it */
  readonly extra: Extra
  /** resolves when roles and namespaces are there: before, nobody could have a right */
  readonly begun: Promise<void>
  /** paths that need neither name nor right */
  isOpen(path: string): boolean
  readonly trust: AgentTrust
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RequestMetrics
  /** aborted when the server ends: watches end with it */
  readonly signal: AbortSignal
}

/** What the method and the URL of a request say. */
export type Asked = {
  readonly path: string
  readonly query: URLSearchParams
  /** the query as it came */
  readonly queryText: string
  readonly target: Target
}

export function askedOf(request: Request): Asked {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const queryText = mark < 0 ? '' : url.slice(mark + 1)
  const query = new URLSearchParams(queryText)
  return { path, query, queryText, target: targetOf(request.method ?? 'GET', path, query) }
}

const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

export type Admission =
  | { readonly kind: 'admitted'; readonly user: User }
  | { readonly kind: 'refused'; readonly answer: Answer }

export async function admit(door: Door, request: Request, { path, query, target }: Asked): Promise<Admission> {
  if (!door.isOpen(path)) await door.begun
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

export function apiRequest(
  request: Request,
  { path, query, queryText }: Asked,
  user: User,
  body: Uint8Array,
): ApiRequest {
  const header = (name: string) => {
    const value = request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  return { method: request.method ?? 'GET', path, query, queryText, header, user, body }
}

export const report = (door: Door, path: string, error: unknown) =>
  door.log.error('an unexpected error', {
    path,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })

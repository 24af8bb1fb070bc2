// effect: TLS sessions
// Who asks: the client certificate of the connection, or the token of the request.

import type { TLSSocket } from 'node:tls'
import type { User } from '#apiserver/kind.ts'

/** Undefined: the token is none of ours, or expired. */
export type VerifyToken = (token: string) => Promise<User | undefined>

export type Who =
  | { readonly kind: 'user'; readonly user: User }
  /** shows nothing: system:anonymous */
  | { readonly kind: 'nobody' }
  /** shows a certificate or a token that is none of ours */
  | { readonly kind: 'stranger' }

const authenticated = 'system:authenticated'

export async function authenticate(
  socket: TLSSocket,
  authorization: string | undefined,
  verifyToken: VerifyToken | undefined,
): Promise<Who> {
  const certified = certificateUser(socket)
  if (certified.kind === 'user') return certified
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) return certified
  const user = await verifyToken?.(token)
  return user === undefined ? { kind: 'stranger' } : { kind: 'user', user }
}

/** One certificate serves all requests of a connection. */
const known = new WeakMap<object, Who>()

function certificateUser(socket: TLSSocket): Who {
  const before = known.get(socket)
  if (before !== undefined) return before
  const who = userOfCertificate(socket)
  known.set(socket, who)
  return who
}

function userOfCertificate(socket: TLSSocket): Who {
  const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string | string[]; O?: string | string[] } }
  if (subject === undefined) return { kind: 'nobody' }
  const name = [subject.CN ?? []].flat().at(-1)
  if (!socket.authorized || !name) return { kind: 'stranger' }
  return { kind: 'user', user: { name, groups: [...[subject.O ?? []].flat(), authenticated] } }
}

// effect: TLS sessions
// Who asks: the client certificate of the connection, or the token of the request.

import type { Duplex } from 'node:stream'
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

/** Who is at the other end of this connection is known without a certificate. */
export const vouchFor = (socket: Duplex, user: User): void => void known.set(socket, { kind: 'user', user })

function certificateUser(socket: TLSSocket): Who {
  const before = known.get(socket)
  if (before !== undefined) return before
  const who = userOfCertificate(socket)
  known.set(socket, who)
  return who
}

function userOfCertificate(socket: TLSSocket): Who {
  const { subject } = socket.getPeerCertificate() as { subject?: Subject }
  if (subject === undefined) return { kind: 'nobody' }
  const user = socket.authorized ? userOfSubject(subject) : undefined
  return user === undefined ? { kind: 'stranger' } : { kind: 'user', user }
}

type Subject = { readonly CN?: string | readonly string[]; readonly O?: string | readonly string[] }

/** The user that a certificate's subject stands for; undefined where it names nobody. */
export function userOfSubject({ CN, O }: Subject): User | undefined {
  const name = [CN ?? []].flat().at(-1)
  return name ? { name, groups: [...[O ?? []].flat(), authenticated] } : undefined
}

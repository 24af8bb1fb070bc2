// effect: TLS sessions
// Who asks: the client certificate of the connection, or the token of the request.

import type { TLSSocket } from 'node:tls'
import type { User } from '#apiserver/kind.ts'

/** Undefined: the token is none of ours, or expired. */
export type VerifyToken = (token: string) => Promise<User | undefined>

const authenticated = 'system:authenticated'

/** Undefined: nobody that we know. */
export async function authenticate(
  socket: TLSSocket,
  authorization: string | undefined,
  verifyToken: VerifyToken | undefined,
): Promise<User | undefined> {
  const user = certificateUser(socket)
  if (user !== undefined) return user
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  return token === undefined ? undefined : verifyToken?.(token)
}

/** One certificate serves all requests of a connection. */
const known = new WeakMap<object, User | false>()

function certificateUser(socket: TLSSocket): User | undefined {
  const before = known.get(socket)
  if (before !== undefined) return before || undefined
  const user = userOfCertificate(socket)
  known.set(socket, user ?? false)
  return user
}

function userOfCertificate(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined
  const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string | string[]; O?: string | string[] } }
  const name = [subject?.CN ?? []].flat().at(-1)
  if (!name) return undefined
  return { name, groups: [...[subject?.O ?? []].flat(), authenticated] }
}

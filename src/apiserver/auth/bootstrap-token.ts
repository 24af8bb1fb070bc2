// Bootstrap tokens: by them a machine that has nothing else yet may ask for a certificate. Each is a Secret
// `bootstrap-token-ID` in kube-system.

import { secrets, type Secret } from '#api/core.ts'
import type { VerifyToken } from '#apiserver/http/authenticate.ts'
import type { Objects, User } from '#apiserver/kind.ts'

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const allowedGroup = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

export function bootstrapTokenVerifier(objects: Objects, nowMs: () => number): VerifyToken {
  return async (token) => {
    const [, id = '', secret = ''] = form.exec(token) ?? []
    if (id === '') return undefined
    const stored = await objects.get(secrets, 'kube-system', `bootstrap-token-${id}`)
    return stored && userOfToken(stored, id, secret, nowMs())
  }
}

/** Whom a token with this id and secret stands for, going by its Secret. */
export function userOfToken(stored: Secret, id: string, secret: string, nowMs: number): User | undefined {
  const text = (name: string) => atob(stored.data?.[name] ?? '')
  const isRight =
    stored.type === 'bootstrap.kubernetes.io/token' &&
    stored.metadata?.deletionTimestamp === undefined &&
    text('token-id') === id &&
    isSameText(text('token-secret'), secret) &&
    text('usage-bootstrap-authentication') === 'true'
  const expiration = text('expiration')
  // A time that nobody can read has passed.
  if (!isRight || (expiration !== '' && !(Date.parse(expiration) > nowMs))) return undefined
  const extra = text('auth-extra-groups')
    .split(',')
    .filter((group) => group !== '')
  if (!extra.every((group) => allowedGroup.test(group))) return undefined
  return { name: `system:bootstrap:${id}`, groups: [...extra, 'system:bootstrappers', 'system:authenticated'] }
}

/** Takes as long wherever the difference is. */
function isSameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let at = 0; at < b.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at)
  return difference === 0
}

// effect: signatures
// Tokens of service accounts: signed by us, in time, and of an account (and pod) that is still there.

import { pods, serviceAccounts } from '#api/core.ts'
import { createTokenVerifier } from '#pki/jwt.ts'
import { serviceAccountUser, tokenOf } from '#pki/service-account-token.ts'
import type { VerifyToken } from '#apiserver/http/authenticate.ts'
import type { Objects } from '#apiserver/kind.ts'

export type TokenTrust = {
  /** PEM, public or private: tokens signed by any of them count */
  readonly keys: readonly string[]
  readonly issuer: string
  /** a token must be for one of these */
  readonly audiences: readonly string[]
}

/** A signature is checked once for each token; whether its account is there, each time. */
const mostRemembered = 10_000

export function tokenVerifierOf(trust: TokenTrust, objects: Objects, nowMs: () => number): VerifyToken {
  const verify = createTokenVerifier(trust.keys)
  const known = new Map<string, NonNullable<ReturnType<typeof tokenOf>>>()
  const read = (text: string) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const verified = verify(text, nowMs())
    const token = verified.kind === 'valid' ? tokenOf(verified.claims) : undefined
    if (token === undefined || token.issuer !== trust.issuer) return undefined
    if (!token.audiences.some((audience) => trust.audiences.includes(audience))) return undefined
    if (known.size >= mostRemembered) known.clear()
    known.set(text, token)
    return token
  }
  return async (text) => {
    const token = read(text)
    if (token === undefined || token.expiresAtMs <= nowMs()) return undefined
    const account = await objects.find(serviceAccounts, token.namespace, token.serviceAccount.name)
    if (account?.metadata?.uid !== token.serviceAccount.uid) return undefined
    if (token.pod !== undefined) {
      const pod = await objects.find(pods, token.namespace, token.pod.name)
      if (pod?.metadata?.uid !== token.pod.uid) return undefined
    }
    return serviceAccountUser(token)
  }
}

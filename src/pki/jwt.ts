// effect: signatures by the crypto library
// JSON Web Tokens (RFC 7519), signed with ES256 or RS256 after the kind of the key.
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'

export type Claims = Readonly<Record<string, unknown>>
export type Verified =
  | { readonly kind: 'valid'; readonly claims: Claims }
  | { readonly kind: 'invalid'; readonly reason: string }

type Algorithm = 'ES256' | 'RS256'

/** Signs claims with a private key (PEM). The key's id is the hash of its public part, as in Kubernetes. */
export function createTokenSigner(key: string): (claims: Claims) => string {
  const privateKey = createPrivateKey(key)
  const header = encodePart({ alg: algorithmOf(privateKey), kid: keyIdOf(createPublicKey(privateKey)) })
  return (claims) => {
    const signed = `${header}.${encodePart(claims)}`
    return `${signed}.${sign('sha256', Buffer.from(signed), forJwt(privateKey)).toString('base64url')}`
  }
}

/**
 * Checks signature and times of tokens, against any of these keys (PEM, public or private). What the claims mean is the
 * caller's to check: issuer, audience, subject.
 */
export function createTokenVerifier(keys: readonly string[]): (token: string, nowMs: number) => Verified {
  const known = keys.map((pem) => {
    const key = createPublicKey(pem)
    return { key, id: keyIdOf(key), algorithm: algorithmOf(key) }
  })
  return (token, nowMs) => {
    const [head = '', body = '', signature = '', more] = token.split('.')
    const header = decodePart(head)
    const claims = decodePart(body)
    if (header === undefined || claims === undefined || more !== undefined) return invalid('not a token')
    const candidates = known.filter(({ id }) => header['kid'] === undefined || header['kid'] === id)
    const isSigned = candidates.some(
      ({ key, algorithm }) =>
        // The algorithm is the key's: what the token says of it is only compared.
        header['alg'] === algorithm &&
        verify('sha256', Buffer.from(`${head}.${body}`), forJwt(key), Buffer.from(signature, 'base64url')),
    )
    if (!isSigned) return invalid('signature of no known key')
    const { exp, nbf } = claims
    if (typeof exp === 'number' && nowMs >= exp * 1000) return invalid('token has expired')
    if (typeof nbf === 'number' && nowMs < nbf * 1000) return invalid('token is not valid yet')
    return { kind: 'valid', claims }
  }
}

/** The JSON Web Key Set of public keys, as /openid/v1/jwks serves it. */
export function renderKeySet(keys: readonly string[]): { readonly keys: readonly object[] } {
  return {
    keys: keys.map((pem) => {
      const key = createPublicKey(pem)
      return { use: 'sig', ...key.export({ format: 'jwk' }), kid: keyIdOf(key), alg: algorithmOf(key) }
    }),
  }
}

const invalid = (reason: string): Verified => ({ kind: 'invalid', reason })
const algorithmOf = (key: KeyObject): Algorithm => (key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256')
/** JWS wants the two numbers of an ECDSA signature one behind the other, not in DER. */
const forJwt = (key: KeyObject) => ({ key, dsaEncoding: 'ieee-p1363' as const })
const keyIdOf = (key: KeyObject) =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
const encodePart = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function decodePart(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

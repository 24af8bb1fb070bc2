// What the token of a service account says, in the form of Kubernetes' bound tokens.

type Named = { readonly name: string; readonly uid: string }

export type ServiceAccountToken = {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly namespace: string
  readonly serviceAccount: Named
  /** the token counts as long as this pod is there */
  readonly pod?: Named | undefined
  readonly node?: Named | undefined
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  /** names this very token */
  readonly id: string
}

/** The user that a service account is: `system:serviceaccount:NAMESPACE:NAME`, with its groups. */
export function serviceAccountUser({ namespace, serviceAccount }: ServiceAccountToken) {
  return { ...accountUser(namespace, serviceAccount.name), uid: serviceAccount.uid }
}

/** The name and the groups of a service account. */
export const accountUser = (namespace: string, name: string) => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
})

export function claimsOf(token: ServiceAccountToken): Record<string, unknown> {
  const { namespace, serviceAccount, pod, node } = token
  return {
    aud: token.audiences,
    exp: Math.floor(token.expiresAtMs / 1000),
    iat: Math.floor(token.issuedAtMs / 1000),
    iss: token.issuer,
    jti: token.id,
    'kubernetes.io': {
      namespace,
      ...(node !== undefined && { node }),
      ...(pod !== undefined && { pod }),
      serviceaccount: serviceAccount,
    },
    nbf: Math.floor(token.issuedAtMs / 1000),
    sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
  }
}

/** Reads verified claims; undefined where they are not those of a service account. */
export function tokenOf(claims: Readonly<Record<string, unknown>>): ServiceAccountToken | undefined {
  const { aud, iss, sub, jti = '', iat, exp, 'kubernetes.io': bound } = claims
  const { namespace, serviceaccount, pod, node } = (bound ?? {}) as Readonly<Record<string, unknown>>
  const serviceAccount = named(serviceaccount)
  if (typeof iss !== 'string' || typeof namespace !== 'string' || serviceAccount === undefined) return undefined
  if (typeof iat !== 'number' || typeof exp !== 'number' || typeof jti !== 'string') return undefined
  if (sub !== `system:serviceaccount:${namespace}:${serviceAccount.name}`) return undefined
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === 'string')
  const more = { pod: named(pod), node: named(node) }
  return {
    issuer: iss,
    audiences,
    namespace,
    serviceAccount,
    ...more,
    issuedAtMs: iat * 1000,
    expiresAtMs: exp * 1000,
    id: jti,
  }
}

function named(value: unknown): Named | undefined {
  const { name, uid } = (value ?? {}) as Readonly<Record<string, unknown>>
  return typeof name === 'string' && typeof uid === 'string' ? { name, uid } : undefined
}

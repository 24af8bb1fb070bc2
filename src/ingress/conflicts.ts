// What an Ingress wanted and another one has.

import type { Ingress } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import type { CertificateTable } from '#ingress/certificate-table.ts'
import type { Claims } from '#ingress/claims.ts'
import type { Compiled, Problem } from '#ingress/compile.ts'
import { fallbackRoute, routeKey, type Target } from '#ingress/route.ts'

type Own = { readonly ingress: Stored<Ingress>; readonly compiled: Compiled }
type Rivals = {
  readonly routes: Pick<Claims<{ readonly target: Target }>, 'of'>
  readonly shares: Pick<Claims<{ readonly ingress: string }>, 'of'>
  readonly certificates: Pick<CertificateTable, 'claimsOf'>
}

export function conflictsOf(own: Own, rivals: Rivals): readonly Problem[] {
  const ofPaths = own.compiled.canary === undefined ? routesLost(own, rivals) : sharesLost(own, rivals)
  return [...ofPaths, ...certificatesLost(own, rivals)]
}

const conflict = (message: string): Problem => ({ reason: 'Conflict', message })

function routesLost({ ingress, compiled }: Own, { routes }: Rivals): readonly Problem[] {
  const lost = compiled.candidates.flatMap((candidate) => {
    const { host, rank, written } = candidate
    const holder = routes.of(routeKey(candidate))[0]!
    if (holder.owner === ingress) return []
    const why = holder.rank < rank ? 'is more precise' : 'is older'
    return conflict(`${host || '*'}${written} is not used: ${holder.value.target.ingress} ${why} and has it`)
  })
  const fallback = routes.of(fallbackRoute)[0]
  if (ingress.spec.defaultBackend === undefined || fallback!.owner === ingress) return lost
  return [...lost, conflict(`defaultBackend is not used: ${fallback!.value.target.ingress} is older and has one`)]
}

function sharesLost({ ingress, compiled }: Own, { routes, shares }: Rivals): readonly Problem[] {
  return compiled.candidates.flatMap((candidate): Problem[] => {
    const where = `${candidate.host || '*'}${candidate.written}`
    const holder = shares.of(routeKey(candidate))[0]!
    const isAlone = routes.of(routeKey(candidate)).length === 0
    return [
      ...(isAlone
        ? [{ reason: 'NoMainRoute', message: `${where} gets nothing: no Ingress but this canary has it` } as const]
        : []),
      ...(holder.owner === ingress
        ? []
        : [conflict(`${where} is not used: ${holder.value.ingress} is older and the canary of it`)]),
    ]
  })
}

function certificatesLost({ ingress, compiled }: Own, { certificates }: Rivals): readonly Problem[] {
  return compiled.certificates.flatMap(({ secret, hosts }) =>
    hosts.flatMap((host) => {
      const claims = certificates.claimsOf(host)
      const holder = claims[0]?.value.secret
      const isClaimed = claims.some(({ owner, value }) => owner === ingress && value.secret === secret)
      return holder !== secret && isClaimed
        ? conflict(`the certificate of ${host} is not used: an older Ingress gives one by ${holder}`)
        : []
    }),
  )
}

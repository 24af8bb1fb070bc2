// What one Ingress says, taken by itself: the routes and certificates that it wants.

import type { Ingress, IngressBackend } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { readSettings, type Settings } from '#ingress/annotations.ts'
import type { Route } from '#ingress/route.ts'

/** What is told about an Ingress that cannot be served as it is: an event's reason and message. */
export type Problem = {
  readonly reason: 'NoService' | 'NoServicePort' | 'NoCertificate' | 'Conflict' | 'NotSupported' | 'BadAnnotation'
  readonly message: string
}

export type Candidate = Pick<Route, 'host' | 'match' | 'path'> & {
  /** which of two forms of the same prefix counts: `/foo/` before `/foo`, Prefix before ImplementationSpecific */
  readonly rank: number
  /** as the Ingress has it */
  readonly written: string
  readonly backend: IngressBackend
}

export type Compiled = {
  readonly candidates: readonly Candidate[]
  /** by `NAMESPACE/SECRET`; without hosts: for names that no other certificate is for */
  readonly certificates: readonly { readonly secret: string; readonly hosts: readonly string[] }[]
  readonly settings: Settings
  readonly problems: readonly Problem[]
}

export function compile({ spec, metadata }: Stored<Ingress>): Compiled {
  const { settings, problems } = readSettings(metadata.annotations ?? {})
  const told: Problem[] = problems.map((message) => ({ reason: 'BadAnnotation', message }))
  const candidates: Candidate[] = []
  for (const { host = '', http } of spec.rules ?? [])
    for (const { path: written = '', pathType, backend } of http?.paths ?? []) {
      const path = written === '' ? '/' : written
      if (/[\s\p{Cc}]/u.test(path)) {
        const message = `path ${JSON.stringify(path)}: no request has blanks in its path`
        told.push({ reason: 'NotSupported', message })
        continue
      }
      const isExact = pathType === 'Exact'
      const hasSlash = path.endsWith('/')
      candidates.push({
        host: host.toLowerCase(),
        match: isExact ? 'exact' : 'prefix',
        path: isExact || hasSlash ? path : `${path}/`,
        rank: isExact ? 0 : (hasSlash ? 0 : 1) + (pathType === 'Prefix' ? 0 : 2),
        written,
        backend: backend ?? {},
      })
    }
  const ruleHosts = (spec.rules ?? []).flatMap(({ host }) => (host ? [host] : []))
  // Without a Secret an entry is about names only.
  const certificates = (spec.tls ?? []).flatMap(({ hosts = [], secretName }) =>
    secretName
      ? [
          {
            secret: `${metadata.namespace}/${secretName}`,
            hosts: (hosts.length > 0 ? hosts : ruleHosts).map((name) => name.toLowerCase()),
          },
        ]
      : [],
  )
  return { candidates, certificates, settings, problems: told }
}

// What one Ingress says, taken by itself: the routes and certificates that it wants.

import type { Ingress, IngressBackend } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { type Annotations, readAnnotations } from '#ingress/annotations/annotations.ts'
import type { Canary, Redirect, Settings } from '#ingress/annotations/settings.ts'
import { readPath } from '#ingress/paths.ts'
import type { Protocol, Route } from '#ingress/route.ts'

/** What is told about an Ingress that cannot be served as it is: an event's reason and message. */
export type Problem = {
  readonly reason:
    | 'NoService'
    | 'NoServicePort'
    | 'NoIngressClass'
    | 'NoCertificate'
    | 'BadCertificate'
    | 'NoUsers'
    | 'NoMainRoute'
    | 'Conflict'
    | 'NotSupported'
    | 'BadAnnotation'
  readonly message: string
}

export type Candidate = Pick<Route, 'host' | 'match' | 'path' | 'rewrite'> & {
  /** counts before age: the lower one has it */
  readonly rank: number
  /** as the Ingress has it */
  readonly written: string
  /** undefined: it only sends elsewhere */
  readonly backend: IngressBackend | undefined
  readonly settings: Settings
}

export type Compiled = {
  readonly candidates: readonly Candidate[]
  /** by `NAMESPACE/SECRET`; without hosts: for names that no other certificate is for */
  readonly certificates: readonly { readonly secret: string; readonly hosts: readonly string[] }[]
  /** of `defaultBackend` */
  readonly settings: Settings
  readonly protocol: Protocol | undefined
  /** `NAMESPACE/SECRET` of those who may come in */
  readonly users: string | undefined
  /** its candidates are for a share of what others' routes get */
  readonly canary: Canary | undefined
  readonly problems: readonly Problem[]
}

/** Where a redirect by annotation stands behind what any rule says. */
const lastRank = 100

export function compile({ spec, metadata }: Stored<Ingress>): Compiled {
  const annotations = readAnnotations(metadata.annotations ?? {})
  const { canary, authSecret, rewriteTarget } = annotations
  const told: Problem[] = annotations.problems.map((message) => ({ reason: 'BadAnnotation', message }))
  const hasTls = (spec.tls ?? []).length > 0
  const settings: Settings = {
    ...annotations.settings,
    ...(annotations.sslRedirectWithTls && hasTls && { sslRedirect: true }),
  }
  const ofRules: Settings = { ...settings, ...(rewriteTarget !== undefined && { rewrites: true }) }
  const candidates: Candidate[] = []
  for (const { host = '', http } of spec.rules ?? [])
    for (const { backend = {}, ...rule } of http?.paths ?? []) {
      const read = readPath(rule, { usesPatterns: annotations.usesPatterns, target: rewriteTarget })
      if (typeof read === 'string') {
        told.push({ reason: 'NotSupported', message: read })
        continue
      }
      if (read.problem !== undefined) told.push({ reason: 'BadAnnotation', message: read.problem })
      candidates.push({
        ...read.path,
        host: host.toLowerCase(),
        written: rule.path || '/',
        backend,
        settings: ofRules,
      })
    }
  const ruleHosts = [...new Set((spec.rules ?? []).map(({ host }) => (host ?? '').toLowerCase()))]
  if (canary === undefined) candidates.push(...redirects(annotations, ruleHosts))
  // Without a Secret an entry is about names only.
  const certificates = (spec.tls ?? []).flatMap(({ hosts = [], secretName }) =>
    secretName
      ? [
          {
            secret: `${metadata.namespace}/${secretName}`,
            hosts: (hosts.length > 0 ? hosts : ruleHosts.filter(Boolean)).map((name) => name.toLowerCase()),
          },
        ]
      : [],
  )
  if (canary !== undefined && spec.defaultBackend !== undefined)
    told.push({ reason: 'NotSupported', message: 'defaultBackend of a canary is not used: give rules' })
  const [users, foreign] = secretIn(metadata.namespace, authSecret)
  if (foreign !== undefined) told.push({ reason: 'BadAnnotation', message: foreign })
  return { candidates, certificates, settings, protocol: annotations.protocol, users, canary, problems: told }
}

/** Routes that only send elsewhere: from `/` to app-root, from `www.a.test` to `a.test` or the other way round. */
function redirects({ appRoot, wwwRedirect, settings }: Annotations, hosts: readonly string[]): Candidate[] {
  const lead = (host: string, match: 'exact' | 'prefix', redirect: Redirect): Candidate => ({
    host,
    match,
    path: '/',
    rank: match === 'exact' ? -1 : lastRank,
    written: '/',
    backend: undefined,
    settings: { ...(settings.sslRedirect && { sslRedirect: true }), redirect },
  })
  const roots = appRoot === undefined ? [] : hosts.map((host) => lead(host, 'exact', { code: 302, url: appRoot }))
  const others = wwwRedirect ? hosts.filter((host) => host !== '' && !host.startsWith('*')) : []
  const www = others.map((host) =>
    lead(host.startsWith('www.') ? host.slice(4) : `www.${host}`, 'prefix', { code: 308, host }),
  )
  return [...roots, ...www]
}

/** `NAME` or `NAMESPACE/NAME`, of the Ingress's own namespace; the second: what is wrong with it. */
function secretIn(namespace: string | undefined, name: string | undefined): [string | undefined, string?] {
  if (name === undefined) return [undefined]
  const [first, second] = name.split('/')
  if (second === undefined) return [`${namespace}/${name}`]
  return first === namespace
    ? [name]
    : [undefined, `auth-secret ${name} is in another namespace than the Ingress: nobody may come in`]
}

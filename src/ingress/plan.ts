// From Ingresses, Services, EndpointSlices and Secrets to one routing table, and to what is to be said about objects
// that cannot be served as they are.
//
// Where Kubernetes leaves it open: of two Ingresses that want the same host and path, or the certificate of the same
// host, the older one has it (then the one whose name comes first).

import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Ingress, IngressBackend, IngressClass } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { readSettings, type Settings } from '#ingress/annotations.ts'
import { ownership } from '#ingress/class.ts'
import { endpointsOf, findPort, protocolOf } from '#ingress/endpoints.ts'
import {
  type Backend,
  type BackendKey,
  type Route,
  routeKey,
  type RoutingTable,
  type ServedCertificate,
  type Target,
} from '#ingress/route.ts'
import { compareText } from '#lib/sort.ts'

/** A Secret as far as it is of use: its PEM texts joined, or what is wrong with them. */
export type Certificate =
  | { readonly kind: 'pem'; readonly pem: string }
  | { readonly kind: 'wrong'; readonly message: string }

export type IngressState = {
  readonly ingresses: Iterable<Stored<Ingress>>
  readonly classes: Iterable<Stored<IngressClass>>
  /** by `NAMESPACE/NAME` */
  service(key: string): Stored<Service> | undefined
  /** of a Service */
  slices(key: string): readonly Stored<EndpointSlice>[]
  secret(key: string): Certificate | undefined
}

export type Problem = {
  readonly ingress: Stored<Ingress>
  readonly reason: 'NoService' | 'NoServicePort' | 'NoCertificate' | 'Conflict' | 'NotSupported' | 'BadAnnotation'
  readonly message: string
}

export type IngressPlan = {
  readonly table: RoutingTable
  readonly problems: readonly Problem[]
  /** those that are served, by `NAMESPACE/NAME` */
  readonly served: ReadonlyMap<string, Stored<Ingress>>
}

const keyOf = ({ metadata }: Stored<Ingress>): string => `${metadata.namespace}/${metadata.name}`

export function plan(state: IngressState): IngressPlan {
  const isOwn = ownership(state.classes)
  const own = [...state.ingresses].filter(isOwn).sort(byAge)
  const problems: Problem[] = []
  const backends = new Map<BackendKey, Backend>()
  const routes = new Map<string, Route & { readonly rank: number }>()
  const served = new Map<string, Stored<Ingress>>()
  let fallback: Target | undefined
  for (const ingress of own) {
    const key = keyOf(ingress)
    served.set(key, ingress)
    const say = (reason: Problem['reason'], message: string) => problems.push({ ingress, reason, message })
    const { candidates, settings } = compiled(ingress, say)
    const target = (backend: IngressBackend): Target => ({
      backend: resolve(state, ingress.metadata.namespace, backend, settings, backends, say),
      settings,
      ingress: key,
    })
    if (ingress.spec.defaultBackend !== undefined) {
      if (fallback === undefined) fallback = target(ingress.spec.defaultBackend)
      else say('Conflict', `defaultBackend is not used: ${fallback.ingress} is older and has one`)
    }
    for (const { host, match, path, rank, backend, written } of candidates) {
      const at = routeKey({ host, match, path })
      const holder = routes.get(at)
      if (holder !== undefined && holder.rank <= rank) {
        if (holder.ingress !== key)
          say('Conflict', `${host || '*'}${written} is not used: ${holder.ingress} is older and has it`)
        continue
      }
      routes.set(at, { host, match, path, rank, ...target(backend) })
    }
  }
  const { certificates, defaultCertificate } = planCertificates(state, own, problems)
  const plain = [...routes.values()].map(({ rank: _, ...route }) => route)
  return { table: { routes: plain, fallback, backends, certificates, defaultCertificate }, problems, served }
}

function byAge(a: Stored<Ingress>, b: Stored<Ingress>): number {
  return compareText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) || compareText(keyOf(a), keyOf(b))
}

type Candidate = Pick<Route, 'host' | 'match' | 'path'> & {
  /** which of two forms of the same prefix counts: `/foo/` before `/foo`, Prefix before ImplementationSpecific */
  readonly rank: number
  /** as the Ingress has it */
  readonly written: string
  readonly backend: IngressBackend
}
type Compiled = {
  readonly candidates: readonly Candidate[]
  readonly settings: Settings
  readonly problems: readonly (readonly [Problem['reason'], string])[]
}

/** An Ingress does not change under its identity, and of thousands few are new. */
const known = new WeakMap<Stored<Ingress>, Compiled>()

function compiled(ingress: Stored<Ingress>, say: (reason: Problem['reason'], message: string) => void): Compiled {
  let result = known.get(ingress)
  if (result === undefined) known.set(ingress, (result = compile(ingress)))
  for (const [reason, message] of result.problems) say(reason, message)
  return result
}

function compile({ spec, metadata }: Stored<Ingress>): Compiled {
  const { settings, problems } = readSettings(metadata.annotations ?? {})
  const bad: (readonly [Problem['reason'], string])[] = problems.map((text) => ['BadAnnotation', text] as const)
  const candidates: Candidate[] = []
  for (const { host = '', http } of spec.rules ?? [])
    for (const { path: written = '', pathType, backend } of http?.paths ?? []) {
      const path = written === '' ? '/' : written
      if (/[\s\p{Cc}]/u.test(path)) {
        bad.push(['NotSupported', `path ${JSON.stringify(path)}: no request has blanks in its path`])
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
  return { candidates, settings, problems: bad }
}

/** The key of what a backend names, which is put into `backends`; undefined where there is no such thing. */
function resolve(
  state: IngressState,
  namespace: string,
  { service: named, resource }: IngressBackend,
  settings: Settings,
  backends: Map<BackendKey, Backend>,
  say: (reason: Problem['reason'], message: string) => void,
): BackendKey | undefined {
  if (named === undefined) {
    say('NotSupported', `backends of kind ${resource?.kind ?? ''} are not served: name a Service`)
    return undefined
  }
  const serviceKey = `${namespace}/${named.name}`
  const service = state.service(serviceKey)
  if (service === undefined) {
    say('NoService', `Service ${serviceKey} does not exist`)
    return undefined
  }
  if (service.spec.type === 'ExternalName') {
    say('NotSupported', `Service ${serviceKey} is of type ExternalName and has no endpoints`)
    return undefined
  }
  const port = findPort(service, named.port ?? {})
  if (port === undefined) {
    say('NoServicePort', `Service ${serviceKey} has no port ${named.port?.name || named.port?.number}`)
    return undefined
  }
  const protocol = settings.protocol ?? protocolOf(port)
  const key = `${serviceKey}/${port.port}/${protocol}`
  if (!backends.has(key))
    backends.set(key, { key, protocol, endpoints: endpointsOf(state.slices(serviceKey), port.name) })
  return key
}

function planCertificates(state: IngressState, own: readonly Stored<Ingress>[], problems: Problem[]) {
  const holders = new Map<string, string>()
  const hostsBySecret = new Map<string, { pem: string; hosts: string[] }>()
  let defaultCertificate: string | undefined
  for (const ingress of own)
    for (const { hosts = [], secretName } of ingress.spec.tls ?? []) {
      // Without a Secret it is about names only.
      if (!secretName) continue
      const say = (reason: Problem['reason'], message: string) => problems.push({ ingress, reason, message })
      const key = `${ingress.metadata.namespace}/${secretName}`
      const secret = state.secret(key)
      if (secret?.kind !== 'pem') {
        say('NoCertificate', `Secret ${key} ${secret === undefined ? 'does not exist' : secret.message}`)
        continue
      }
      const wanted = hosts.length > 0 ? hosts : (ingress.spec.rules ?? []).flatMap(({ host }) => (host ? [host] : []))
      if (wanted.length === 0) defaultCertificate ??= secret.pem
      for (const host of wanted.map((name) => name.toLowerCase())) {
        const holder = holders.get(host)
        if (holder !== undefined) {
          if (holder !== key)
            say('Conflict', `the certificate of ${host} is not used: an older Ingress gives one by ${holder}`)
          continue
        }
        holders.set(host, key)
        const entry = hostsBySecret.get(key)
        if (entry === undefined) hostsBySecret.set(key, { pem: secret.pem, hosts: [host] })
        else entry.hosts.push(host)
      }
    }
  const certificates: ReadonlyMap<string, ServedCertificate> = hostsBySecret
  return { certificates, defaultCertificate }
}

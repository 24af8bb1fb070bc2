// The routing table of all Ingresses, kept up to date: an edit costs what it touches, however many routes there are.
//
// What an Ingress wants stands in claims; what it names (Services, Secrets) leads back to it. A change of any object
// forgets and learns anew the Ingresses that it is about; then what those have touched is decided again.

import type { Ingress, IngressBackend } from '#api/networking.ts'
import { keyOf } from '#api/object-key.ts'
import type { Stored } from '#api/stored.ts'
import type { Canary, Settings } from '#ingress/annotations/settings.ts'
import { BackendTable } from '#ingress/backend-table.ts'
import { CertificateTable, whyUnfit } from '#ingress/certificate-table.ts'
import { type Claim, Claims } from '#ingress/claims.ts'
import { ownership } from '#ingress/class.ts'
import { type Candidate, compile, type Compiled, type Problem } from '#ingress/compile.ts'
import { conflictsOf } from '#ingress/conflicts.ts'
import { type BackendSource, resolve, withSettings } from '#ingress/endpoints.ts'
import { type BackendKey, fallbackRoute, type Route, routeKey, type RoutingTable, type Target } from '#ingress/route.ts'
import type { IngressState, ObjectChange } from '#ingress/state.ts'
import { KeySets } from '#lib/key-sets.ts'

/** What may be other than before. */
export type TableChange = {
  /** by `routeKey`; `fallbackRoute` for what no route matches */
  readonly routes: ReadonlySet<string>
  readonly backends: ReadonlySet<BackendKey>
  /** by `NAMESPACE/SECRET` */
  readonly certificates: ReadonlySet<string>
  /** Ingresses about which something else may be to say */
  readonly told: ReadonlySet<string>
  /** Ingresses that have come or gone */
  readonly served: ReadonlySet<string>
}

type Entry = {
  readonly ingress: Stored<Ingress>
  readonly compiled: Compiled
  readonly problems: readonly Problem[]
  /** `service KEY`, `secret KEY` */
  readonly names: ReadonlySet<string>
  readonly backends: ReadonlySet<BackendKey>
}
/** Without a route: for what no route matches. */
type Wish = {
  readonly target: Target
  readonly settings: Settings
  readonly route?: Pick<Candidate, 'host' | 'match' | 'path'>
}
/** A share of what another Ingress's route gets, under the settings of that one. */
type Share = { readonly source: BackendSource | undefined; readonly canary: Canary; readonly ingress: string }

type Want = Pick<Candidate, 'rank' | 'backend' | 'settings' | 'rewrite'> & Pick<Wish, 'route'>

/** What an update has met. */
class Touched {
  readonly routes = new Set<string>()
  readonly backends = new Set<BackendKey>()
  readonly hosts = new Set<string>()
  readonly told = new Set<string>()
  readonly served = new Set<string>()

  addAll(kind: 'backends' | 'hosts', keys: Iterable<string>): void {
    for (const key of keys) this[kind].add(key)
  }

  /** Those who want the same: one has it, the others are told. */
  rivals(claims: readonly Claim<unknown>[]): void {
    if (claims.length > 1) for (const { owner } of claims) this.told.add(keyOf(owner))
  }
}

export class IngressTable implements RoutingTable {
  readonly routes = new Map<string, Route>()
  fallback: Target | undefined
  readonly #state: IngressState
  readonly #entries = new Map<string, Entry>()
  readonly #claims = new Claims<Wish>()
  readonly #shares = new Claims<Share>()
  readonly #certificates = new CertificateTable()
  readonly #backends: BackendTable
  /** Ingresses by what they name */
  readonly #namedBy = new KeySets()

  constructor(state: IngressState) {
    this.#state = state
    this.#backends = new BackendTable(state)
  }

  get backends(): RoutingTable['backends'] {
    return this.#backends.backends
  }
  get certificates(): RoutingTable['certificates'] {
    return this.#certificates.certificates
  }
  get defaultCertificate(): string | undefined {
    return this.#certificates.defaultCertificate
  }
  /** The Ingresses that are served, by `NAMESPACE/NAME`. */
  get served(): { has(key: string): boolean; keys(): Iterable<string> } {
    return this.#entries
  }

  /** Whether somebody uses a name outside. */
  asksFor(name: string): boolean {
    return this.#backends.fedBy(name).size > 0
  }

  /** Takes in what has changed. May be told of the same change again. */
  update(changes: Iterable<ObjectChange>): TableChange {
    const touched = new Touched()
    const dirty = this.#reach(changes, touched)
    if (dirty.size > 0) {
      const isOwn = ownership(this.#state.classes())
      for (const key of dirty) {
        const ingress = this.#state.ingress(key)
        const next = ingress !== undefined && isOwn(ingress) ? ingress : undefined
        if (this.#entries.has(key) !== (next !== undefined)) touched.served.add(key)
        touched.told.add(key)
        this.#forget(key, touched)
        if (next !== undefined) this.#learn(key, next, touched)
      }
    }
    for (const key of touched.routes) this.#settleRoute(key, touched)
    for (const key of touched.backends) this.#backends.settle(key)
    const certificates = this.#certificates.settle(touched.hosts)
    for (const host of touched.hosts) touched.rivals(this.#certificates.claimsOf(host))
    return { ...touched, certificates }
  }

  /** What is to be said about an Ingress now. */
  problemsOf(key: string): readonly Problem[] {
    const entry = this.#entries.get(key)
    if (entry === undefined) return this.#unserved(key)
    const rivals = { routes: this.#claims, shares: this.#shares, certificates: this.#certificates }
    return [...entry.problems, ...conflictsOf(entry, rivals)]
  }

  /** Of a class that is not there nobody else will say a word. */
  #unserved(key: string): readonly Problem[] {
    const { ingressClassName: name } = this.#state.ingress(key)?.spec ?? {}
    if (name === undefined || [...this.#state.classes()].some(({ metadata }) => metadata.name === name)) return []
    const message = `IngressClass ${name} does not exist: nobody serves this Ingress`
    return [{ reason: 'NoIngressClass', message }]
  }

  /** The Ingresses that changes are about. */
  #reach(changes: Iterable<ObjectChange>, touched: Touched): ReadonlySet<string> {
    const dirty = new Set<string>()
    for (const change of changes) {
      if (change.kind === 'all') {
        for (const key of this.#entries.keys()) dirty.add(key)
        for (const ingress of this.#state.ingresses()) dirty.add(keyOf(ingress))
      } else if (change.kind === 'ingress') dirty.add(change.key)
      else if (change.kind === 'slices' || change.kind === 'addresses')
        touched.addAll('backends', this.#backends.fedBy(change.key))
      else for (const key of this.#namedBy.of(`${change.kind} ${change.key}`)) dirty.add(key)
    }
    return dirty
  }

  #forget(key: string, touched: Touched): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const { ingress, compiled, names, backends } = entry
    this.#entries.delete(key)
    for (const at of [fallbackRoute, ...compiled.candidates.map(routeKey)]) {
      if (this.#shares.of(at).some(({ owner }) => owner === ingress)) {
        this.#shares.withdraw(at, ingress)
        touched.routes.add(at)
      }
      if (!this.#claims.of(at).some(({ owner }) => owner === ingress)) continue
      // Whoever is left may have it now.
      touched.rivals(this.#claims.of(at))
      this.#claims.withdraw(at, ingress)
      touched.routes.add(at)
    }
    for (const { hosts } of compiled.certificates) {
      for (const host of hosts) touched.rivals(this.#certificates.claimsOf(host))
      touched.addAll('hosts', this.#certificates.withdraw(ingress, hosts))
    }
    for (const name of names) this.#namedBy.delete(name, key)
    for (const backend of backends) this.#backends.leave(backend, key)
    touched.addAll('backends', backends)
  }

  #learn(key: string, ingress: Stored<Ingress>, touched: Touched): void {
    const compiled = compile(ingress)
    const problems = [...compiled.problems]
    const names = new Set<string>()
    const backends = new Set<BackendKey>()
    const find = (backend: IngressBackend | undefined): BackendSource | undefined => {
      const found = backend && this.#find(ingress, backend, compiled, names)
      if (found === undefined || !('reason' in found)) return found
      problems.push(found)
      return undefined
    }
    const use = (source: BackendSource | undefined, settings: Settings): BackendKey | undefined => {
      const own = withSettings(source, settings)
      if (own === undefined) return undefined
      this.#backends.use(own, key)
      backends.add(own.key)
      return own.key
    }
    const guard = this.#guard(compiled, names, problems)
    const want = (at: string, { rank, backend, settings, rewrite, route }: Want) => {
      const guarded = guard(settings)
      const target = { backend: use(find(backend), guarded), ingress: key, ...(rewrite !== undefined && { rewrite }) }
      const value = { target, settings: guarded, ...(route && { route }) }
      this.#claims.add(at, { owner: ingress, rank, value })
      touched.routes.add(at)
    }
    const { defaultBackend: backend } = ingress.spec
    if (backend !== undefined && compiled.canary === undefined)
      want(fallbackRoute, { rank: 0, backend, settings: compiled.settings })
    for (const candidate of compiled.candidates) {
      const { host, match, path, rank } = candidate
      const at = routeKey(candidate)
      if (compiled.canary === undefined) want(at, { ...candidate, route: { host, match, path } })
      else {
        const value = { source: find(candidate.backend), canary: compiled.canary, ingress: key }
        this.#shares.add(at, { owner: ingress, rank, value })
        touched.routes.add(at)
      }
    }
    for (const { secret, hosts } of compiled.certificates) {
      names.add(`secret ${secret}`)
      const found = this.#state.secret(secret)
      if (found?.kind === 'pem') {
        touched.addAll('hosts', this.#certificates.offer(ingress, hosts, { secret, pem: found.pem }))
        for (const message of whyUnfit(found, hosts))
          problems.push({ reason: 'BadCertificate', message: `Secret ${secret} ${message}` })
        continue
      }
      const what = found === undefined ? 'does not exist' : found.message
      problems.push({ reason: 'NoCertificate', message: `Secret ${secret} ${what}` })
    }
    for (const name of names) this.#namedBy.add(name, key)
    touched.addAll('backends', backends)
    this.#entries.set(key, { ingress, compiled, problems, names, backends })
  }

  /** Settings with those who may come in. */
  #guard({ users }: Compiled, names: Set<string>, problems: Problem[]): (settings: Settings) => Settings {
    if (users === undefined) return (settings) => settings
    names.add(`secret ${users}`)
    const read = this.#state.users(users)
    for (const message of read?.problems ?? ['does not exist: nobody may come in'])
      problems.push({ reason: 'NoUsers', message: `Secret ${users} ${message}` })
    return (settings) =>
      settings.auth === undefined || read === undefined
        ? settings
        : { ...settings, auth: { ...settings.auth, users: read.users } }
  }

  #find(
    { metadata }: Stored<Ingress>,
    { service, resource }: IngressBackend,
    { protocol }: Compiled,
    names: Set<string>,
  ): BackendSource | Problem {
    if (service === undefined)
      return {
        reason: 'NotSupported',
        message: `backends of kind ${resource?.kind ?? ''} are not served: name a Service`,
      }
    const key = `${metadata.namespace}/${service.name}`
    names.add(`service ${key}`)
    return resolve(key, this.#state.service(key), service.port ?? {}, protocol)
  }

  #settleRoute(at: string, touched: Touched): void {
    const claims = this.#claims.of(at)
    touched.rivals(claims)
    const holder = claims[0]?.value
    const canary = this.#settleShare(at, holder, touched)
    if (at === fallbackRoute) this.fallback = holder?.target
    else if (holder?.route === undefined) this.routes.delete(at)
    else this.routes.set(at, { ...holder.route, ...holder.target, ...(canary && { canary }) })
  }

  #settleShare(at: string, holder: Wish | undefined, touched: Touched): Route['canary'] {
    const user = `canary ${at}`
    const before = this.routes.get(at)?.canary?.backend
    if (before !== undefined) {
      this.#backends.leave(before, user)
      touched.backends.add(before)
    }
    const shares = this.#shares.of(at)
    for (const { owner } of shares) touched.told.add(keyOf(owner))
    const share = shares[0]?.value
    if (share === undefined || holder === undefined) return undefined
    const source = withSettings(share.source, holder.settings)
    if (source === undefined) return undefined
    this.#backends.use(source, user)
    touched.backends.add(source.key)
    return { ...share.canary, backend: source.key }
  }
}

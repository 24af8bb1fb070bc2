// What the cluster's names are answered from: the views of objects, with the indexes that a query needs. One Zone is
// one tenant's view; it is fed changes and never looks for itself.

import type { PodView, ServiceView, SliceView } from '#dns/state.ts'

/** One change of one object; `value` is undefined when the object is gone. Keys are `namespace/name`, or `name`. */
export type ZoneChange =
  | { readonly kind: 'namespace'; readonly key: string; readonly value: string | undefined }
  | { readonly kind: 'service'; readonly key: string; readonly value: ServiceView | undefined }
  | { readonly kind: 'slice'; readonly key: string; readonly value: SliceView | undefined }
  | { readonly kind: 'pod'; readonly key: string; readonly value: PodView | undefined }

export type ZoneOptions = {
  /** the cluster's domain, normal */
  readonly domain: string
  /** reverse zones that are answered from endpoints and Services: `in-addr.arpa`, `ip6.arpa` or below, normal */
  readonly reverseZones: readonly string[]
  /** seconds */
  readonly ttl: number
  readonly pods: 'disabled' | 'insecure' | 'verified'
  /** the only namespaces that have names; empty: all */
  readonly namespaces: readonly string[]
  /** name endpoints without a hostname after their pod */
  readonly endpointPodNames: boolean
  /** a Service with a cluster IP but no ready endpoint has no name */
  readonly ignoreEmptyServices: boolean
  /** zones whose missing names are left to whoever comes next */
  readonly fallthrough: readonly string[]
  /** addresses of this server, for `ns.dns` when it is no endpoint of a Service */
  readonly localIps: readonly string[]
}

export class Zone {
  /** every kind of object has been seen once: before that, a name that is not found may only be unknown yet */
  synced = false
  /** seconds since the epoch of the last change: the SOA serial */
  serial = 1

  readonly #namespaces = new Set<string>()
  readonly #services = new Map<string, ServiceView>()
  readonly #slices = new Map<string, SliceView>()
  readonly #pods = new Map<string, PodView>()
  readonly #slicesOfService = new Index()
  readonly #servicesOfIp = new Index()
  readonly #slicesOfIp = new Index()
  readonly #podsOfIp = new Index()

  /** Takes one change and answers the Service keys whose names may answer differently now. */
  apply(change: ZoneChange): string[] {
    switch (change.kind) {
      case 'namespace':
        if (change.value === undefined) this.#namespaces.delete(change.key)
        else this.#namespaces.add(change.key)
        return [`${change.key}/`]
      case 'service':
        this.#servicesOfIp.move(change.key, this.#services.get(change.key)?.clusterIps, change.value?.clusterIps)
        setOrDelete(this.#services, change.key, change.value)
        return [change.key]
      case 'slice':
        return this.#applySlice(change.key, change.value)
      case 'pod':
        this.#podsOfIp.move(change.key, this.#pods.get(change.key)?.ips, change.value?.ips)
        setOrDelete(this.#pods, change.key, change.value)
        return []
    }
  }

  #applySlice(key: string, value: SliceView | undefined): string[] {
    const old = this.#slices.get(key)
    const [before, after] = [old && serviceOf(old), value && serviceOf(value)]
    this.#slicesOfIp.move(key, old && addressesOf(old), value && addressesOf(value))
    if (before !== after)
      this.#slicesOfService.move(key, before === undefined ? [] : [before], after === undefined ? [] : [after])
    setOrDelete(this.#slices, key, value)
    return [...new Set([before, after])].filter((service) => service !== undefined)
  }

  /** Everything that is known, as changes that make an empty zone equal to this one. */
  *snapshot(): Generator<ZoneChange> {
    for (const key of this.#namespaces) yield { kind: 'namespace', key, value: key }
    for (const [key, value] of this.#services) yield { kind: 'service', key, value }
    for (const [key, value] of this.#slices) yield { kind: 'slice', key, value }
    for (const [key, value] of this.#pods) yield { kind: 'pod', key, value }
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name)
  }

  service(key: string): ServiceView | undefined {
    return this.#services.get(key)
  }

  slicesOf(serviceKey: string): SliceView[] {
    return this.#slicesOfService.get(serviceKey).map((key) => this.#slices.get(key)!)
  }

  servicesWithIp(ip: string): ServiceView[] {
    return this.#servicesOfIp.get(ip).map((key) => this.#services.get(key)!)
  }

  slicesWithIp(ip: string): SliceView[] {
    return this.#slicesOfIp.get(ip).map((key) => this.#slices.get(key)!)
  }

  podsWithIp(ip: string): PodView[] {
    return this.#podsOfIp.get(ip).map((key) => this.#pods.get(key)!)
  }
}

const serviceOf = (slice: SliceView): string => `${slice.namespace}/${slice.service}`
const addressesOf = (slice: SliceView): string[] => slice.endpoints.flatMap((endpoint) => [...endpoint.addresses])

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

/** Under each value the keys of the objects that have it. Nearly always that is one, which is kept without a list. */
class Index {
  readonly #keys = new Map<string, string | readonly string[]>()

  get(value: string): readonly string[] {
    const keys = this.#keys.get(value)
    return keys === undefined ? [] : typeof keys === 'string' ? [keys] : keys
  }

  move(key: string, before: readonly string[] = [], after: readonly string[] = []): void {
    for (const value of before) {
      const rest = this.get(value).filter((other) => other !== key)
      if (rest.length === 0) this.#keys.delete(value)
      else this.#keys.set(value, rest.length === 1 ? rest[0]! : rest)
    }
    for (const value of after) {
      const keys = this.get(value)
      if (!keys.includes(key)) this.#keys.set(value, keys.length === 0 ? key : [...keys, key])
    }
  }
}

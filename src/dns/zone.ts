// What the cluster's names are answered from: the views of objects, with the indexes that a query needs. One Zone is
// one tenant's view; it is fed changes and never looks for itself.

import type { PodView, ServiceView, SliceView } from '#dns/state.ts'

/** One change of one object; `value` is undefined when the object is gone. Keys are `namespace/name`, or `name`. */
export type ZoneChange =
  | { readonly kind: 'namespace'; readonly key: string; readonly value: string | undefined }
  | { readonly kind: 'service'; readonly key: string; readonly value: ServiceView | undefined }
  | { readonly kind: 'slice'; readonly key: string; readonly value: SliceView | undefined }
  | { readonly kind: 'pod'; readonly key: string; readonly value: PodView | undefined }

export class Zone {
  /** every kind of object has been seen once: before that, a name that is not found may only be unknown yet */
  synced = false
  /** seconds since the epoch of the last change: the SOA serial */
  serial = 1

  readonly #namespaces = new Set<string>()
  readonly #services = new Map<string, ServiceView>()
  readonly #slices = new Map<string, SliceView>()
  readonly #slicesOfService = new Map<string, Map<string, SliceView>>()
  readonly #pods = new Map<string, PodView>()
  readonly #servicesOfIp = new Map<string, Set<string>>()
  readonly #slicesOfIp = new Map<string, Set<string>>()
  readonly #podsOfIp = new Map<string, Set<string>>()

  /** Takes one change and answers the Service keys whose names may answer differently now. */
  apply(change: ZoneChange): string[] {
    switch (change.kind) {
      case 'namespace':
        if (change.value === undefined) this.#namespaces.delete(change.key)
        else this.#namespaces.add(change.key)
        return [`${change.key}/`]
      case 'service':
        reindex(this.#servicesOfIp, change.key, this.#services.get(change.key)?.clusterIps, change.value?.clusterIps)
        setOrDelete(this.#services, change.key, change.value)
        return [change.key]
      case 'slice':
        return this.#applySlice(change.key, change.value)
      case 'pod':
        reindex(this.#podsOfIp, change.key, this.#pods.get(change.key)?.ips, change.value?.ips)
        setOrDelete(this.#pods, change.key, change.value)
        return []
    }
  }

  #applySlice(key: string, value: SliceView | undefined): string[] {
    const old = this.#slices.get(key)
    reindex(this.#slicesOfIp, key, old && addressesOf(old), value && addressesOf(value))
    setOrDelete(this.#slices, key, value)
    const touched = new Set<string>()
    if (old !== undefined) {
      const service = `${old.namespace}/${old.service}`
      const slices = this.#slicesOfService.get(service)
      slices?.delete(key)
      if (slices?.size === 0) this.#slicesOfService.delete(service)
      touched.add(service)
    }
    if (value !== undefined) {
      const service = `${value.namespace}/${value.service}`
      const slices = this.#slicesOfService.get(service) ?? new Map<string, SliceView>()
      this.#slicesOfService.set(service, slices.set(key, value))
      touched.add(service)
    }
    return [...touched]
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name)
  }

  service(key: string): ServiceView | undefined {
    return this.#services.get(key)
  }

  slicesOf(serviceKey: string): Iterable<SliceView> {
    return this.#slicesOfService.get(serviceKey)?.values() ?? []
  }

  servicesWithIp(ip: string): ServiceView[] {
    return [...(this.#servicesOfIp.get(ip) ?? [])].map((key) => this.#services.get(key)!)
  }

  slicesWithIp(ip: string): SliceView[] {
    return [...(this.#slicesOfIp.get(ip) ?? [])].map((key) => this.#slices.get(key)!)
  }

  podsWithIp(ip: string): PodView[] {
    return [...(this.#podsOfIp.get(ip) ?? [])].map((key) => this.#pods.get(key)!)
  }
}

const addressesOf = (slice: SliceView): string[] => slice.endpoints.flatMap((endpoint) => [...endpoint.addresses])

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

function reindex(
  index: Map<string, Set<string>>,
  key: string,
  before: readonly string[] = [],
  after: readonly string[] = [],
): void {
  for (const ip of before) {
    const keys = index.get(ip)
    keys?.delete(key)
    if (keys?.size === 0) index.delete(ip)
  }
  for (const ip of after) {
    const keys = index.get(ip)
    if (keys === undefined) index.set(ip, new Set([key]))
    else keys.add(key)
  }
}

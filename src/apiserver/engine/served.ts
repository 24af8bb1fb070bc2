// The resources that a server serves: each kind with its cache, found by the parts of a URL.

import { apiVersionOf, type Resource } from '#api/resource.ts'
import type { ApiObject } from '#api/meta.ts'
import { ResourceCache } from '#apiserver/cache/resource-cache.ts'
import type { Kind } from '#apiserver/kind.ts'
import type { Store } from '#apiserver/store/store.ts'
import { translatedStore } from '#apiserver/store/translated-store.ts'

/** One resource: its kind and where its objects are. Doubles as the name that a Status gives to it. */
export type Served = {
  readonly kind: Kind
  readonly resource: Resource
  readonly group: string
  readonly plural: string
  readonly apiVersion: string
  /** what its keys in the store begin with */
  readonly prefix: string
  readonly store: Store
  readonly cache: ResourceCache
  /** names of the fields of its field selectors, beyond metadata's */
  readonly fieldNames: readonly string[]
  /** aborted when it is served no more, or otherwise: watches end with it */
  readonly ended: AbortSignal
  end(): void
}

export class ServedResources {
  readonly #byPath = new Map<string, Served>()
  readonly #store: Store
  /** counts the changes of what is served */
  #generation = 0

  constructor(kinds: readonly Kind[], store: Store) {
    this.#store = store
    for (const kind of kinds) this.#add(kind)
  }

  get generation(): number {
    return this.#generation
  }

  /** Serves these versions of a resource and no others; watches of what was served before end. */
  replace(group: string, plural: string, kinds: readonly Kind[]): void {
    this.#generation++
    for (const [key, served] of this.#byPath)
      if (served.group === group && served.plural === plural) {
        this.#byPath.delete(key)
        served.end()
      }
    for (const kind of kinds) this.#add(kind)
  }

  #add(kind: Kind): void {
    const store = this.#store
    const { resource } = kind
    const { group, version, plural } = resource
    const { group: storedGroup, plural: storedPlural } = kind.storedAs?.resource ?? resource
    const prefix = `${storedGroup || 'core'}/${storedPlural}/`
    const own = kind.storedAs === undefined ? store : translatedStore(store, kind.storedAs)
    const fieldsOf = kind.fields?.bind(kind)
    const fields = fieldsOf as ((object: ApiObject) => Record<string, string>) | undefined
    const cache = new ResourceCache(own, prefix, fields)
    const ending = new AbortController()
    this.#byPath.set(pathKey(group, version, plural), {
      kind,
      resource,
      group,
      plural,
      apiVersion: apiVersionOf(resource),
      prefix,
      store: own,
      cache,
      fieldNames: Object.keys(kind.fields?.({}) ?? {}),
      ended: ending.signal,
      end() {
        ending.abort()
        cache.close()
      },
    })
  }

  find(group: string, version: string, plural: string): Served | undefined {
    return this.#byPath.get(pathKey(group, version, plural))
  }
  /** Throws where the resource is not served: a mistake of the caller. */
  of(resource: Resource): Served {
    const served = this.find(resource.group, resource.version, resource.plural)
    if (served === undefined) throw new Error(`${apiVersionOf(resource)} ${resource.plural} is not served`)
    return served
  }
  all(): Iterable<Served> {
    return this.#byPath.values()
  }
  hasGroupVersion(group: string, version: string): boolean {
    return [...this.#byPath.values()].some(({ resource }) => resource.group === group && resource.version === version)
  }
}

const pathKey = (group: string, version: string, plural: string) => `${group}/${version}/${plural}`

/** The key of an object within its resource. */
export function keyIn(served: Served, namespace: string, name: string): string {
  return served.resource.namespaced ? `${namespace}/${name}` : name
}

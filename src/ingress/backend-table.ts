// The back ends that Ingresses use, with their endpoints.

import { type BackendSource, endpointsOf } from '#ingress/endpoints.ts'
import type { Backend, BackendKey } from '#ingress/route.ts'
import type { IngressState } from '#ingress/state.ts'
import { KeySets } from '#lib/key-sets.ts'

export class BackendTable {
  readonly backends = new Map<BackendKey, Backend>()
  readonly #state: Pick<IngressState, 'slices' | 'addresses'>
  readonly #sources = new Map<BackendKey, BackendSource>()
  readonly #usersOf = new KeySets()
  /** back ends by the Service or the name outside that their endpoints come from */
  readonly #fedBy = new KeySets()

  constructor(state: Pick<IngressState, 'slices' | 'addresses'>) {
    this.#state = state
  }

  /** Those whose endpoints come from a Service (`NAMESPACE/NAME`) or a name outside. */
  fedBy(feed: string): ReadonlySet<BackendKey> {
    return this.#fedBy.of(feed)
  }

  use(source: BackendSource, user: string): void {
    const { key } = source
    const before = this.#sources.get(key)
    if (before !== undefined) this.#fedBy.delete(feedOf(before), key)
    this.#sources.set(key, source)
    this.#fedBy.add(feedOf(source), key)
    this.#usersOf.add(key, user)
  }

  leave(key: BackendKey, user: string): void {
    this.#usersOf.delete(key, user)
  }

  /** Brings one to what its source has now; one that nobody uses goes. */
  settle(key: BackendKey): void {
    const source = this.#sources.get(key)
    if (source === undefined) return
    if (this.#usersOf.of(key).size > 0) {
      const { protocol, settings } = source
      this.backends.set(key, { key, protocol, settings, endpoints: this.#endpointsOf(source) })
      return
    }
    this.#sources.delete(key)
    this.#fedBy.delete(feedOf(source), key)
    this.backends.delete(key)
  }

  #endpointsOf(source: BackendSource): Backend['endpoints'] {
    if (source.kind === 'none') return []
    if (source.kind === 'slices') return endpointsOf(this.#state.slices(source.service), source.portName)
    const { name, port } = source
    return this.#state.addresses(name).map((address) => ({ address, port, name }))
  }
}

const feedOf = (source: BackendSource): string => (source.kind === 'external' ? source.name : source.service)

// Services and their slices, found by the Service.
import type { ServiceView, SliceView } from '#proxy/state.ts'

export class ServiceCache {
  readonly #services = new Map<string, ServiceView>()
  readonly #slices = new Map<string, Map<string, SliceView>>()

  /** `undefined` takes it out. */
  setService(key: string, view: ServiceView | undefined): void {
    if (view === undefined) this.#services.delete(key)
    else this.#services.set(key, view)
  }

  /** `undefined` takes it out of the Service that it belonged to. */
  setSlice(service: string, name: string, view: SliceView | undefined): void {
    const slices = this.#slices.get(service) ?? new Map<string, SliceView>()
    if (view === undefined) slices.delete(name)
    else slices.set(name, view)
    if (slices.size === 0) this.#slices.delete(service)
    else this.#slices.set(service, slices)
  }

  service(key: string): ServiceView | undefined {
    return this.#services.get(key)
  }
  /** In the order of their names, so that what is planned from them does not depend on the order of events. */
  slices(service: string): readonly SliceView[] {
    const slices = this.#slices.get(service)
    if (slices === undefined) return []
    return slices.size === 1 ? [...slices.values()] : [...slices.keys()].sort().map((name) => slices.get(name)!)
  }
  keys(): Iterable<string> {
    return this.#services.keys()
  }
  get size(): number {
    return this.#services.size
  }
}

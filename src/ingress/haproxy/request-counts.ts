// effect: HAProxy's control socket
// How many requests endpoints have answered, by Service. HAProxy counts by back end, and a back end may be one Service's
// now and another's later; one that is started anew counts from zero.

import type { Registry } from '#daemon/metrics.ts'
import type { Runtime } from '#ingress/haproxy/runtime.ts'
import type { BackendKey } from '#ingress/route.ts'

const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

export class RequestCounts {
  readonly #counter
  /** whose a back end is, or was last */
  #owners = new Map<string, BackendKey>()
  /** what HAProxy has said, by `BACKEND CLASS` */
  #seen = new Map<string, number>()

  constructor(registry: Registry) {
    this.#counter = registry.counter(
      'fairway_ingress_requests_total',
      'Answers of endpoints, by Service and by the first digit of their status.',
      ['namespace', 'service', 'port', 'code'],
    )
  }

  /** Counts what HAProxy has answered since it was asked last, of one back end or of all. */
  async collect(runtime: Runtime, backend = '-1'): Promise<void> {
    const [head = '', ...lines] = (await runtime.ask(`show stat ${backend} 2 -1`)).split('\n')
    const names = head.replace(/^# /, '').split(',')
    for (const line of lines) {
      const values = line.split(',')
      const owner = this.#owners.get(values[0]!)
      if (owner !== undefined)
        for (const code of classes)
          this.#add(values[0]!, owner, code, Number(values[names.indexOf(`hrsp_${code}`)] ?? 0))
    }
  }

  /** A back end is this Service's from now on: what it has answered till now was of its last one. */
  async assign(runtime: Runtime, backend: string, key: BackendKey): Promise<void> {
    const before = this.#owners.get(backend)
    if (before !== undefined && before !== key) await this.collect(runtime, backend)
    this.#owners.set(backend, key)
  }

  /** Another HAProxy, with these back ends. */
  restart(owners: Iterable<readonly [backend: string, key: BackendKey]>): void {
    this.#owners = new Map(owners)
    this.#seen = new Map()
  }

  #add(backend: string, owner: BackendKey, code: string, count: number): void {
    const at = `${backend} ${code}`
    const more = count - (this.#seen.get(at) ?? 0)
    if (more <= 0) return
    this.#seen.set(at, count)
    const [namespace = '', service, port] = owner.split('/')
    // Of no Service: what only sends elsewhere.
    if (service === undefined || port === undefined || namespace.includes(' ')) return
    this.#counter.add(more, namespace, service, port, code)
  }
}

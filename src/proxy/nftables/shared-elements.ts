// Elements that several ports may want: each is there while any port does.
import type { Ip } from '#lib/ip.ts'
import type { Shared } from '#proxy/nftables/port-elements.ts'

export class SharedElements {
  readonly #counts: Readonly<Record<Shared['set'], Map<Ip, number>>> = { 'cluster-ips': new Map(), hairpin: new Map() }

  clear(): void {
    for (const counts of Object.values(this.#counts)) counts.clear()
  }

  /** So many ports more (or fewer) want it; says what that makes of the element, undefined where nothing. */
  change({ set, ip }: Shared, by: number): 'comes' | 'goes' | undefined {
    const counts = this.#counts[set]
    const had = counts.get(ip) ?? 0
    const has = had + by
    if (has === 0) counts.delete(ip)
    else counts.set(ip, has)
    return had === 0 && has > 0 ? 'comes' : had > 0 && has === 0 ? 'goes' : undefined
  }

  *all(): Iterable<Shared> {
    for (const set of ['cluster-ips', 'hairpin'] as const) for (const ip of this.#counts[set].keys()) yield { set, ip }
  }
}

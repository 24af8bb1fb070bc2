// All that the kernel should have in IPVS mode: what the ports of all Services add to it, each thing counted as often as
// it is wanted. A change answers what comes and what goes.
import type { ServerName, VirtualServer } from '#kernel/ipvs/codec.ts'
import type { Ip } from '#lib/ip.ts'
import type { IpvsOptions } from '#proxy/ipvs/options.ts'
import { type Blocked, type PortParts, portParts, type ServerPart } from '#proxy/ipvs/port-parts.ts'
import { type SetKey, setKeys } from '#proxy/ipvs/sets.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'
import { type Family, socketAddress } from '#proxy/state.ts'

/** `tcp 10.96.0.1:443` */
export const serverKey = ({ protocol, address, port }: ServerName): string =>
  `${protocol} ${socketAddress(address, port)}`

export type Wanted = {
  readonly server: VirtualServer
  /** by `ip:port` */
  readonly endpoints: ReadonlyMap<string, { readonly ip: Ip; readonly port: number }>
}

export type ServerChange = { readonly before: Wanted | undefined; readonly after: Wanted | undefined }

/** What comes and goes; servers of equal names, before and after. */
export type PictureChange = {
  readonly sets: ReadonlyMap<SetKey, Difference<string>>
  readonly addresses: Difference<Ip>
  readonly servers: readonly ServerChange[]
}
export type Difference<T> = { readonly come: readonly T[]; readonly gone: readonly T[] }

type Claim = { readonly port: string; readonly wanted: Wanted }

export class Picture {
  readonly #options: IpvsOptions
  readonly #sets = new Map<SetKey, Counter<string>>(setKeys.map((key) => [key, new Counter()]))
  readonly #addresses = new Counter<Ip>()
  readonly #blocked = new Counter<string>()
  readonly #blockedParts = new Map<string, Blocked>()
  /** by serverKey; where several ports claim one, the first has it until it gives it up */
  readonly #servers = new Map<string, Claim[]>()

  constructor(options: IpvsOptions, plans: readonly PortPlan[] = []) {
    this.#options = options
    this.change([], plans)
  }

  get family(): Family {
    return this.#options.family
  }
  get addresses(): ReadonlySet<Ip> {
    return this.#addresses.keys
  }
  get blocked(): readonly Blocked[] {
    return [...this.#blocked.keys].sort().map((key) => this.#blockedParts.get(key)!)
  }
  entries(set: SetKey): ReadonlySet<string> {
    return this.#sets.get(set)!.keys
  }
  isEmpty(set: SetKey): boolean {
    return this.entries(set).size === 0
  }
  server(key: string): Wanted | undefined {
    return this.#servers.get(key)?.[0]?.wanted
  }
  get serverKeys(): readonly string[] {
    return [...this.#servers.keys()]
  }

  change(before: readonly PortPlan[], after: readonly PortPlan[]): PictureChange {
    const [old, now] = [before, after].map((plans) =>
      plans.map((plan) => ({ name: plan.name, parts: portParts(plan, this.#options) })),
    ) as [Part[], Part[]]
    const keys = new Set([...old, ...now].flatMap(({ parts }) => parts.servers.map(keyOf)))
    const had = new Map([...keys].map((key) => [key, this.server(key)]))
    for (const { parts } of old) this.#count(parts, -1)
    for (const { parts } of now) this.#count(parts, 1)
    const kept = new Set(now.flatMap(({ name, parts }) => parts.servers.map((part) => `${keyOf(part)} ${name}`)))
    for (const { name, parts } of old)
      for (const part of parts.servers) if (!kept.has(`${keyOf(part)} ${name}`)) this.#drop(name, keyOf(part))
    for (const { name, parts } of now) for (const part of parts.servers) this.#claim(name, part)
    return {
      sets: new Map(setKeys.map((key) => [key, this.#sets.get(key)!.takeDifference()])),
      addresses: this.#addresses.takeDifference(),
      servers: [...keys].map((key) => ({ before: had.get(key), after: this.server(key) })),
    }
  }

  #count({ entries, addresses, blocked }: PortParts, by: 1 | -1): void {
    for (const { set, entry } of entries) this.#sets.get(set)!.add(entry, by)
    for (const address of addresses) this.#addresses.add(address, by)
    for (const one of blocked) {
      this.#blocked.add(serverKey(one), by)
      this.#blockedParts.set(serverKey(one), one)
    }
  }

  #claim(port: string, part: ServerPart): void {
    const claims = this.#servers.get(keyOf(part)) ?? []
    const claim = { port, wanted: wantedOf(part) }
    const at = claims.findIndex((known) => known.port === port)
    if (at < 0) claims.push(claim)
    else claims[at] = claim
    this.#servers.set(keyOf(part), claims)
  }

  #drop(port: string, key: string): void {
    const left = (this.#servers.get(key) ?? []).filter((claim) => claim.port !== port)
    if (left.length === 0) this.#servers.delete(key)
    else this.#servers.set(key, left)
  }
}

type Part = { readonly name: string; readonly parts: PortParts }

const keyOf = ({ server }: ServerPart) => serverKey(server)

const wantedOf = ({ server, endpoints }: ServerPart): Wanted => ({
  server,
  endpoints: new Map(endpoints.map(({ address, ip, port }) => [address, { ip, port }])),
})

/** How often each thing is wanted, and what has come and gone since the last look. */
class Counter<T> {
  readonly #counts = new Map<T, number>()
  readonly #before = new Map<T, boolean>()
  readonly keys = new Set<T>()

  add(thing: T, by: number): void {
    if (!this.#before.has(thing)) this.#before.set(thing, this.keys.has(thing))
    const count = (this.#counts.get(thing) ?? 0) + by
    if (count > 0) {
      this.#counts.set(thing, count)
      this.keys.add(thing)
    } else {
      this.#counts.delete(thing)
      this.keys.delete(thing)
    }
  }

  takeDifference(): Difference<T> {
    const touched = [...this.#before]
    this.#before.clear()
    return {
      come: touched.flatMap(([thing, had]) => (!had && this.keys.has(thing) ? [thing] : [])),
      gone: touched.flatMap(([thing, had]) => (had && !this.keys.has(thing) ? [thing] : [])),
    }
  }
}

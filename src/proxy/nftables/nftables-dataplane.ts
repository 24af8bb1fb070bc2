// effect: netlink sockets
// nftables mode in one address family: one table, written by netlink in one transaction for each change.
import { type Nftables, openNftables } from '#kernel/nftables/nftables.ts'
import type { NftElement } from '#kernel/nftables/ruleset.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import type { NftTransaction } from '#kernel/netfilter/generation.ts'
import { KnownGeneration, OwnGenerations } from '#kernel/netfilter/own-generations.ts'
import type { Ip } from '#lib/ip.ts'
import type { Change, Dataplane, Plans } from '#proxy/dataplane.ts'
import { type Arrangement, arrangePort } from '#proxy/nftables/arrange.ts'
import { type Element, elementId, nodePortOf } from '#proxy/nftables/element.ts'
import { writeLayout } from '#proxy/nftables/layout.ts'
import { type NftablesOptions, tableName } from '#proxy/nftables/options.ts'
import { Owners } from '#proxy/nftables/owners.ts'
import { Room } from '#proxy/nftables/room.ts'
import { frontElements, frontNames, ownsItself, portElements, portShapes } from '#proxy/nftables/port-elements.ts'
import { putEndpoints, type Shared, sharedBy, sharedElement, type Table } from '#proxy/nftables/port-elements.ts'
import { endpointsSet } from '#proxy/nftables/shape.ts'
import { Shapes } from '#proxy/nftables/shapes.ts'
import { SharedElements } from '#proxy/nftables/shared-elements.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

/** A port and what was decided about it. */
type Placed = { readonly port: PortPlan; readonly arrangement: Arrangement; readonly table: Table }

export type NftablesObserver = { failed(): void }

/** What an endpoint's element takes in a transaction, with a name of 40 letters. */
const endpointBytes = { 4: 100, 6: 124 } as const
/** Ports whose elements are asked for when somebody else has changed nftables. */
const mostSampled = 100

export class NftablesDataplane implements Dataplane {
  readonly #kernel: Nftables
  readonly #options: NftablesOptions
  readonly #observer: NftablesObserver
  readonly #batch: NftBatch
  readonly #own: OwnGenerations
  readonly #shapes: Shapes
  readonly #room = new Room()
  readonly #owners = new Owners()
  readonly #arrangements = new Map<string, Arrangement>()
  readonly #shared = new SharedElements()
  /** the table that we made, and how many rules its chains have */
  #handle: bigint | undefined
  #rules = new Map<string, number>()
  readonly #known: KnownGeneration
  /** a transaction of somebody else on our table since everything was written */
  #intruder: number | undefined
  #endpoints = 0
  /** where the next look for missing elements begins */
  #sample = 0

  constructor(options: NftablesOptions, observer: NftablesObserver, netns?: string, own = new OwnGenerations()) {
    this.#own = own
    this.#known = new KnownGeneration(own)
    this.#kernel = openNftables(options.family, netns)
    this.#options = options
    this.#observer = observer
    this.#batch = new NftBatch(options.family, tableName, 1 << 16)
    this.#shapes = new Shapes(this.#batch, options, this.#room, (chain, rules) => this.#rules.set(chain, rules))
  }

  get family(): 4 | 6 {
    return this.#options.family
  }

  apply(plans: Plans, changes?: ReadonlyMap<string, Change>): Promise<void> {
    return Promise.try(() => {
      try {
        if (changes !== undefined) {
          this.#writeChanges(plans, changes)
          if (!this.#room.isExceeded) return this.#commit(false)
          this.#batch.reset()
        }
        this.#writeAll(plans)
        this.#commit(true)
        this.#intruder = undefined
        this.#handle = this.#kernel.table(tableName)?.handle
        this.#rules = new Map(this.#kernel.ruleCounts(tableName))
      } catch (error) {
        this.#observer.failed()
        this.#batch.reset()
        throw error
      }
    })
  }

  #commit(all: boolean): void {
    if (this.#batch.isEmpty) return
    const before = this.#kernel.generation()
    this.#kernel.commit(this.#batch)
    this.#known.committed(before, this.#kernel.generation(), all)
  }

  /** The old table goes in the same transaction in which the new one comes; who was remembered stays remembered. */
  #writeAll(plans: Plans): void {
    const batch = this.#batch
    const remembered = this.#kernel.elements(tableName, 'affinity')
    this.#shapes.clear()
    this.#room.clear()
    this.#owners.clear()
    this.#arrangements.clear()
    this.#shared.clear()
    batch.addTable('')
    batch.deleteTable()
    writeLayout(batch, this.#options)
    this.#endpoints = 0
    for (const ports of plans.values()) {
      this.#endpoints += countEndpoints(ports)
      for (const { cluster, local, affinitySeconds } of ports)
        for (const { length } of [cluster, local])
          if (length > 0) this.#room.expect(endpointsSet(length), affinitySeconds === 0 ? length : 2 * length)
    }
    batch.reserve(this.#endpoints * endpointBytes[this.family])
    this.#shapes.prepare(plans.values(), this.#endpoints)
    const placed: Placed[] = []
    for (const ports of plans.values())
      for (const port of ports) {
        this.#claim(port)
        const arrangement = this.#arrange(port)
        placed.push({ port, arrangement, table: this.#tableFor(port) })
        for (const shape of portShapes(port, arrangement, this.#options)) this.#shapes.number(shape)
      }
    this.#writeElements(placed)
    for (const element of remembered) this.#remember(element)
  }

  /** Set by set: what goes to the same set in a row shares a message. */
  #writeElements(placed: readonly Placed[]): void {
    const { family } = this
    const bySize = new Map<string, Placed[]>()
    for (const one of placed) {
      const { port, arrangement, table } = one
      if (!ownsItself(port, table)) continue
      for (const element of frontElements(port, arrangement, table)) this.#add(element)
      for (const shared of sharedBy(port)) this.#shared.change(shared, 1)
      const set = endpointsSet(arrangement.cluster.length || arrangement.local.length || 1)
      const known = bySize.get(set)
      if (known === undefined) bySize.set(set, [one])
      else known.push(one)
    }
    const batch = this.#batch
    for (const some of bySize.values())
      for (const { port, arrangement } of some)
        putEndpoints(port, arrangement, family, (set, key, data, comment) =>
          batch.addElement(set, key, { data, comment }),
        )
    for (const shared of this.#shared.all()) this.#add(sharedElement(shared, family))
  }

  #writeChanges(plans: Plans, changes: ReadonlyMap<string, Change>): void {
    for (const { before, after } of changes.values()) this.#endpoints += countEndpoints(after) - countEndpoints(before)
    this.#shapes.prepare(plans.values(), this.#endpoints)
    const involved = this.#withWaiting(plans, changes)
    const before = new Map<string, Element>()
    const counts = { 'cluster-ips': new Map<Ip, number>(), hairpin: new Map<Ip, number>() } as const
    const count = ({ set, ip }: Shared, by: number) => void counts[set].set(ip, (counts[set].get(ip) ?? 0) + by)
    for (const port of involved.flatMap((change) => change.before)) {
      const { elements, shared } = portElements(port, this.#arrangements.get(idOf(port))!, this.#tableFor(port))
      for (const element of elements) before.set(elementId(element), element)
      for (const one of shared) count(one, -1)
    }
    for (const port of involved.flatMap((change) => change.before)) this.#release(port)
    const after = involved.flatMap((change) => change.after)
    for (const port of after) this.#claim(port)
    const now = new Map<string, Element>()
    for (const port of after) {
      const { elements, shared } = portElements(port, this.#arrange(port), this.#tableFor(port))
      for (const element of elements) now.set(elementId(element), element)
      for (const one of shared) count(one, 1)
    }
    const kept = new Set(after.map(idOf))
    for (const port of involved.flatMap((change) => change.before))
      if (!kept.has(idOf(port))) this.#arrangements.delete(idOf(port))
    for (const [id, element] of before) if (!isSame(now.get(id), element)) this.#remove(element)
    for (const [id, element] of now) if (!isSame(before.get(id), element)) this.#add(element)
    for (const set of ['cluster-ips', 'hairpin'] as const)
      for (const [ip, by] of counts[set]) this.#count({ set, ip }, by)
  }

  /** Services that get a front end because one of these gives it up are changed too. */
  #withWaiting(plans: Plans, changes: ReadonlyMap<string, Change>): Change[] {
    const involved = new Map(changes)
    for (const { before } of involved.values())
      for (const port of before)
        for (const front of frontNames(port))
          if (this.#owners.owns(front, idOf(port)))
            for (const service of this.#owners.takeWaiting(front)) {
              const ports = plans.get(service)
              if (ports !== undefined && !involved.has(service)) involved.set(service, { before: ports, after: ports })
            }
    return [...involved.values()]
  }

  #claim(port: PortPlan): void {
    for (const front of frontNames(port)) this.#owners.claim(front, idOf(port), port.service)
  }
  #release(port: PortPlan): void {
    for (const front of frontNames(port)) this.#owners.release(front, idOf(port))
  }

  #arrange(port: PortPlan): Arrangement {
    const arrangement = arrangePort(this.#arrangements.get(idOf(port)), port)
    this.#arrangements.set(idOf(port), arrangement)
    return arrangement
  }

  #tableFor(port: PortPlan): Table {
    const id = idOf(port)
    return {
      options: this.#options,
      shapeNumber: (shape) => this.#shapes.number(shape),
      owns: (front) => this.#owners.owns(front, id),
    }
  }

  #add({ set, key, end, data, comment }: Element): void {
    this.#batch.addElement(set, key, { end, data, comment })
    this.#room.use(set, 1)
  }
  #remove({ set, key, end }: Element): void {
    this.#batch.deleteElement(set, key, { end })
    this.#room.use(set, -1)
  }

  /** More or fewer ports want a shared element. */
  #count(shared: Shared, by: number): void {
    const what = this.#shared.change(shared, by)
    if (what === 'comes') this.#add(sharedElement(shared, this.family))
    else if (what === 'goes') this.#remove(sharedElement(shared, this.family))
  }

  #remember({ key, data, timeoutMs, expiresMs }: NftElement): void {
    if (data !== undefined && expiresMs !== undefined && expiresMs > 0)
      this.#batch.addElement('affinity', key, { data, timeoutMs, expiresMs })
  }

  nodePorts(): Promise<ReadonlySet<string>> {
    return Promise.try(() => {
      const found = this.#kernel.elements(tableName, 'services').flatMap(({ key }) => nodePortOf(key) ?? [])
      return new Set(found)
    })
  }

  /** Nobody else has any business in our table: whatever they changed, all of it is written again. */
  noticed({ generation, tables }: NftTransaction): void {
    const table = `${this.family === 4 ? 'ip' : 'ip6'} ${tableName}`
    if (tables.has(table) && !this.#own.has(generation)) this.#intruder = generation
  }

  check(plans: Plans): Promise<string | undefined> {
    return Promise.try(() => {
      if (this.#intruder !== undefined) return `table ${tableName} was changed in transaction ${this.#intruder}`
      const generation = this.#kernel.generation()
      const what = this.#known.reaches(generation) ? undefined : (this.#brokenRules() ?? this.#missingElement(plans))
      if (what === undefined) this.#known.looked(generation)
      return what
    })
  }

  #brokenRules(): string | undefined {
    const handle = this.#kernel.table(tableName)?.handle
    if (handle === undefined || handle !== this.#handle) return `table ${tableName} is gone`
    const found = this.#kernel.ruleCounts(tableName)
    for (const [chain, count] of this.#rules)
      if (found.get(chain) !== count) return `chain ${chain} has ${found.get(chain) ?? 0} rules instead of ${count}`
    return undefined
  }

  /** Asks for elements of some ports, other ones each time: an emptied set is noticed at once, whatever its size. */
  #missingElement(plans: Plans): string | undefined {
    const ports = [...plans.values()].flat()
    for (let i = 0; i < Math.min(ports.length, mostSampled); i++) {
      const port = ports[this.#sample++ % ports.length]!
      const { elements } = portElements(port, this.#arrangements.get(idOf(port))!, this.#tableFor(port))
      const seen = new Set<string>()
      for (const { set, key, end } of elements) {
        if (seen.has(set) || end !== undefined) continue
        seen.add(set)
        if (!this.#kernel.hasElement(tableName, set, key)) return `${port.name} is gone from ${set}`
      }
    }
    return undefined
  }

  remove(): Promise<void> {
    return Promise.try(() => {
      this.#batch.addTable('')
      this.#batch.deleteTable()
      this.#known.forget()
      this.#kernel.commit(this.#batch)
    })
  }

  [Symbol.dispose](): void {
    this.#kernel[Symbol.dispose]()
  }
}

const countEndpoints = (ports: readonly PortPlan[]) =>
  ports.reduce((sum, { cluster, local }) => sum + cluster.length + local.length, 0)
const idOf = ({ name, protocol }: PortPlan) => `${name}/${protocol}`

/** Also for the name of the Service: an address may go from one to another. */
const isSame = (a: Element | undefined, b: Element) =>
  a !== undefined && isEqual(a.data, b.data) && isEqual(a.comment, b.comment)

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

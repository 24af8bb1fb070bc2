// The shapes that have a chain in the table, which they get when they are first asked for.
import type { NftBatch } from '#kernel/nftables/batch.ts'
import { hostNumber } from '#kernel/nftables/expression.ts'
import { writeBucket } from '#proxy/nftables/layout.ts'
import type { NftablesOptions } from '#proxy/nftables/options.ts'
import { partsOf } from '#proxy/nftables/registers.ts'
import type { Room } from '#proxy/nftables/room.ts'
import { bucketOf, endpointsSet, type Shape, shapeMap, shapeName, shapeRules } from '#proxy/nftables/shape.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

/**
 * A new chain makes the kernel walk over the maps that it looks into. Where there are many endpoints, the chains for 1 to
 * 250 of them are therefore made beforehand, at best while the maps are empty.
 */
const prepared = { fromEndpoints: 1000, upTo: 250 } as const

export class Shapes {
  readonly #batch: NftBatch
  readonly #options: NftablesOptions
  readonly #room: Room
  readonly #made: (chain: string, rules: number) => void
  readonly #numbers = new Map<string, number>()
  /** by their greatest number of endpoints */
  readonly #buckets = new Set<number>()
  #isPrepared = false

  /** `made`: a chain was added to the batch, with so many rules. */
  constructor(batch: NftBatch, options: NftablesOptions, room: Room, made: (chain: string, rules: number) => void) {
    this.#batch = batch
    this.#options = options
    this.#room = room
    this.#made = made
  }

  clear(): void {
    this.#numbers.clear()
    this.#buckets.clear()
    this.#isPrepared = false
  }

  /** The number that elements name the shape by. Makes its chain where there is none yet. */
  number(shape: Shape): number {
    const name = shapeName(shape)
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const number = this.#numbers.size + 1
    this.#numbers.set(name, number)
    const { to } = bucketOf(Math.max(shape.endpoints, 1))
    if (!this.#buckets.has(to)) writeBucket(this.#batch, to, this.#options, this.#room.sizeOf(endpointsSet(to)))
    this.#buckets.add(to)
    this.#batch.addChain(name)
    const rules = shapeRules(shape, partsOf(this.#options.family), this.#options)
    for (const [expressions, comment] of rules) this.#batch.addRule(name, expressions, comment)
    this.#made(name, rules.length)
    this.#batch.addElement(shapeMap(shape), hostNumber(number), { data: { kind: 'goto', chain: name } })
    return number
  }

  /** For the kinds of fronts that there are: a rule that nobody needs makes every element a little dearer. */
  prepare(all: Iterable<readonly PortPlan[]>, endpointsInAll: number): void {
    if (this.#isPrepared || endpointsInAll <= prepared.fromEndpoints) return
    this.#isPrepared = true
    const kinds = new Set<Shape['front']>(['cluster-ip'])
    for (const ports of all)
      for (const { fronts } of ports)
        for (const { kind } of fronts) kinds.add(kind === 'node-port' ? 'node-port' : 'address')
    for (let endpoints = 1; endpoints <= prepared.upTo; endpoints++)
      for (const shape of usualShapes(endpoints, this.#options)) if (kinds.has(shape.front)) this.number(shape)
  }
}

/** The shapes of Services without affinity, Local policies and source ranges. */
function usualShapes(endpoints: number, { masqueradeAll }: NftablesOptions): Shape[] {
  const usual = { policy: 'cluster', endpoints, affinitySeconds: 0, shortcuts: false, ranges: false } as const
  return [
    { ...usual, front: 'cluster-ip', masquerade: masqueradeAll ? 'all' : 'from-elsewhere' },
    { ...usual, front: 'address', masquerade: 'all' },
    { ...usual, front: 'node-port', masquerade: 'all' },
  ]
}

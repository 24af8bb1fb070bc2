// The node ports of a cluster: which there are, which are taken.

import { bandOf, pickPlace, type Random, type Range } from '#apiserver/allocate/band.ts'

/** `--service-node-port-range`, both ends included. */
export type PortBounds = { readonly first: number; readonly last: number }

/** Reads `30000-32767`, `8080` or `30000+100` (100 ports after the first), as kube-apiserver does. */
export function parsePortBounds(text: string): PortBounds | undefined {
  const match = /^(\d{1,5})(?:([-+])(\d{1,5}))?$/.exec(text.trim())
  if (match === null) return undefined
  const first = Number(match[1])
  const second = Number(match[3] ?? first)
  const last = match[2] === '+' ? first + second : second
  return first >= 1 && last >= first && last <= 65535 ? { first, last } : undefined
}

export class PortRange {
  readonly bounds: PortBounds
  readonly #range: Range
  readonly #taken = new Set<number>()

  constructor(bounds: PortBounds) {
    this.bounds = bounds
    const size = bounds.last - bounds.first + 1
    this.#range = { size, band: bandOf(size, { least: 16, most: 128, share: 32 }) }
  }

  /** How errors name it. */
  get text(): string {
    return `${this.bounds.first}-${this.bounds.last}`
  }
  get used(): number {
    return this.#taken.size
  }
  get size(): number {
    return this.#range.size
  }
  contains(port: number): boolean {
    return port >= this.bounds.first && port <= this.bounds.last
  }
  has(port: number): boolean {
    return this.#taken.has(port)
  }
  take(port: number): void {
    this.#taken.add(port)
  }
  release(port: number): void {
    this.#taken.delete(port)
  }
  clear(): void {
    this.#taken.clear()
  }
  /** A port that nobody has and `isAlsoTaken` does not know; undefined when the range is full. Does not take it. */
  pick(random: Random, isAlsoTaken: (port: number) => boolean = () => false): number | undefined {
    const { first } = this.bounds
    const isTaken = (place: number) => this.#taken.has(first + place) || isAlsoTaken(first + place)
    const place = pickPlace(this.#range, isTaken, random)
    return place === undefined ? undefined : first + place
  }
}

// Whose the transactions of nftables were: a writer that knows that all since its last look were its process's own need
// not look again.

/** Transactions are told within milliseconds. */
const mostRecent = 10_000

/** The transactions of this process, so that one writer does not take another's for a stranger's. */
export class OwnGenerations {
  /** the last run without a gap */
  #first = 0
  #last = -1
  readonly #recent = new Set<number>()

  add(generation: number): void {
    if (generation !== this.#last + 1) this.#first = generation
    this.#last = generation
    this.#recent.add(generation)
    this.#recent.delete(generation - mostRecent)
  }
  /** Of those that are not long ago. */
  has(generation: number): boolean {
    return this.#recent.has(generation)
  }
  /** The last generation that was reached from this one by our transactions alone. */
  reachedFrom(generation: number): number {
    return generation >= this.#first - 1 && generation < this.#last ? this.#last : generation
  }
}

/** Up to which generation one writer knows that nobody but this process has changed anything. */
export class KnownGeneration {
  readonly #own: OwnGenerations
  #known: number | undefined

  constructor(own: OwnGenerations) {
    this.#own = own
  }

  /** Everything was looked at, and found right, at this generation. */
  looked(generation: number): void {
    this.#known = generation
  }

  /** A transaction is one generation: more than that, and somebody else was at work too. `all`: it wrote everything. */
  committed(before: number, after: number, all: boolean): void {
    const isAlone = after === before + 1
    const wasKnown = all || this.reaches(before)
    if (isAlone) this.#own.add(after)
    this.#known = isAlone && wasKnown ? after : undefined
  }

  forget(): void {
    this.#known = undefined
  }

  /** Whether nobody else has changed anything up to this generation. */
  reaches(generation: number): boolean {
    return this.#known !== undefined && this.#own.reachedFrom(this.#known) === generation
  }
}

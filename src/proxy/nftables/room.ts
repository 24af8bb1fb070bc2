// Maps of a fixed size. The kernel fills one whose size it knows a fifth faster than one that grows; so maps that begin with
// many elements get twice the room that they need, and when that is used up, the whole table is written anew.

/** Fewer are not worth it. */
const many = 4096

export class Room {
  readonly #expected = new Map<string, number>()
  /** how many more elements a map of fixed size takes */
  readonly #left = new Map<string, number>()

  clear(): void {
    this.#expected.clear()
    this.#left.clear()
  }

  /** So many elements are going to be in the map. */
  expect(set: string, elements: number): void {
    this.#expected.set(set, (this.#expected.get(set) ?? 0) + elements)
  }

  /** The size that a map is to be made with, when it is made; undefined: it may grow. */
  sizeOf(set: string): number | undefined {
    const expected = this.#expected.get(set) ?? 0
    if (expected < many) return undefined
    this.#left.set(set, expected)
    return 2 * expected
  }

  /** One element more or fewer than expected. */
  use(set: string, by: 1 | -1): void {
    const left = this.#left.get(set)
    if (left !== undefined) this.#left.set(set, left - by)
  }

  get isExceeded(): boolean {
    for (const left of this.#left.values()) if (left < 0) return true
    return false
  }
}

// Sets by a key, which are there as long as they have members.

export class KeySets {
  readonly #sets = new Map<string, Set<string>>()

  of(key: string): ReadonlySet<string> {
    return this.#sets.get(key) ?? empty
  }

  add(key: string, member: string): void {
    const set = this.#sets.get(key)
    if (set === undefined) this.#sets.set(key, new Set([member]))
    else set.add(member)
  }

  delete(key: string, member: string): void {
    const set = this.#sets.get(key)
    set?.delete(member)
    if (set?.size === 0) this.#sets.delete(key)
  }
}

const empty: ReadonlySet<string> = new Set()

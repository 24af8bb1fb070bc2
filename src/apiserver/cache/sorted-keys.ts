// Keys in order, for lists that are answered in pages.

export class SortedKeys {
  #keys: string[] = []

  get size(): number {
    return this.#keys.length
  }
  at(index: number): string | undefined {
    return this.#keys[index]
  }
  /** Takes a whole new set, in any order. */
  replace(keys: Iterable<string>): void {
    this.#keys = [...keys].sort()
  }
  add(key: string): void {
    const last = this.#keys.at(-1)
    if (last === undefined || key > last) this.#keys.push(key)
    else {
      const index = this.from(key)
      if (this.#keys[index] !== key) this.#keys.splice(index, 0, key)
    }
  }
  delete(key: string): void {
    const index = this.from(key)
    if (this.#keys[index] === key) this.#keys.splice(index, 1)
  }
  /** The index of the first key that is not before `key`. */
  from(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

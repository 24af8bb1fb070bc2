// Keys in order, for lists that are answered in pages. New keys are put in order only when someone looks: a thousand
// creates in a row cost one merge.

export class SortedKeys {
  #keys: string[] = []
  #added: string[] = []

  get size(): number {
    return this.#settled().length
  }
  at(index: number): string | undefined {
    return this.#settled()[index]
  }
  /** Takes a whole new set, in any order. */
  replace(keys: Iterable<string>): void {
    this.#keys = [...keys].sort()
    this.#added = []
  }
  /** The key must be new. */
  add(key: string): void {
    this.#added.push(key)
  }
  delete(key: string): void {
    const index = this.from(key)
    if (this.#keys[index] === key) this.#keys.splice(index, 1)
  }
  /** The index of the first key that is not before `key`. */
  from(key: string): number {
    return placeOf(this.#settled(), key)
  }

  #settled(): readonly string[] {
    if (this.#added.length === 0) return this.#keys
    const added = this.#added.sort()
    this.#added = []
    if (added.length > fewKeys) this.#keys = merge(this.#keys, added)
    else for (const key of added) this.#keys.splice(placeOf(this.#keys, key), 0, key)
    return this.#keys
  }
}

/** So many are put in their place one by one, which moves the rest but does not copy it. */
const fewKeys = 16

/** The index of the first key that is not before `key`. */
function placeOf(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

function merge(keys: string[], added: readonly string[]): string[] {
  const last = keys.at(-1)
  if (last === undefined || last < added[0]!) {
    for (const key of added) keys.push(key)
    return keys
  }
  const merged: string[] = []
  let at = 0
  for (const key of added) {
    while (at < keys.length && keys[at]! < key) merged.push(keys[at++]!)
    merged.push(key)
  }
  while (at < keys.length) merged.push(keys[at++]!)
  return merged
}

/** Order by code units: the same everywhere, and that of Go's strings for all texts without surrogates. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** For `sort`: order by a text or a number taken from each element. */
export function byKey<T>(key: (of: T) => string | number): (a: T, b: T) => number {
  return (a, b) => {
    const left = key(a)
    const right = key(b)
    return left < right ? -1 : left > right ? 1 : 0
  }
}

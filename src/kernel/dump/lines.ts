// What parsers of dumps have in common: they read what they know, and say which lines they did not.

/** `line` counts from 1. */
export type Unread = { readonly line: number; readonly text: string }

export type Parsed<T> = { readonly value: T; readonly unread: readonly Unread[] }

/** Each line that has something on it, through `read`; those that it answers undefined for are unread. */
export function parseLines<T>(text: string, read: (line: string, number: number) => T | undefined): Parsed<T[]> {
  const value: T[] = []
  const unread: Unread[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const item = read(line, index + 1)
    if (item === undefined) unread.push({ line: index + 1, text: line.slice(0, 200) })
    else value.push(item)
  }
  return { value, unread }
}

/** The objects of a JSON array, through `read`. */
export function parseObjects<T>(text: string, read: (object: JsonObject) => T | undefined): Parsed<T[]> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    return { value: [], unread: [{ line: 1, text: `not JSON: ${(error as Error).message}` }] }
  }
  const value: T[] = []
  const unread: Unread[] = []
  for (const item of Array.isArray(parsed) ? parsed : []) {
    // `ip -j -d` prints empty objects for what a filter left out.
    if (isObject(item) && Object.keys(item).length === 0) continue
    const read1 = isObject(item) ? read(item) : undefined
    if (read1 === undefined) unread.push({ line: 1, text: JSON.stringify(item).slice(0, 200) })
    else value.push(read1)
  }
  return { value, unread }
}

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isJson = (text: string): boolean => /^\s*[[{]/.test(text)

/** A field of a JSON object if it is of that type. */
export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
export const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)

/** Digits as the number that they are; undefined for anything else. */
export const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined

/** Words in pairs, `dev eth0 metric 100`, with the words of `flags` standing alone; undefined where one is left over. */
export function readPairs(
  words: readonly string[],
  flags: ReadonlySet<string>,
): ReadonlyMap<string, string> | undefined {
  const pairs = new Map<string, string>()
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (flags.has(word)) pairs.set(word, '')
    else {
      const value = words[++at]
      if (value === undefined) return undefined
      pairs.set(word, value)
    }
  }
  return pairs
}

export const wordsOf = (line: string): string[] => line.split(/\s+/).filter((word) => word !== '')

/** Without the fields that are undefined. */
export const defined = <T extends object>(
  object: T,
): { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
} => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never

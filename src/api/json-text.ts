// JSON text with what JSON.parse does not say: fields that stand twice, and nesting without end.

import { quote } from '#api/go-text.ts'
import { formatPath } from '#api/decode-context.ts'
import { ok, type Result, wrong } from '#api/result.ts'

export type Parsed = {
  readonly value: unknown
  /** `duplicate field "spec.type"`, each once */
  readonly problems: readonly string[]
}

/** Deeper than any object of the API, and far from the end of the stack of what walks over it. */
export const mostDepth = 1000
const mostProblems = 100

/** Parses one JSON value. Messages are those of Go's decoder. The last of two fields with one name counts. */
export function parseJson(text: string): Result<Parsed> {
  const { depth, members } = measure(text)
  if (depth > mostDepth) return wrong('exceeded max depth')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return wrong(inGoWords(text, (error as Error).message))
  }
  // A field that stands twice is in the text but not in the value.
  return ok({ value, problems: members === countMembers(value) ? [] : duplicates(text) })
}

const backslash = 92

/** How deep a text nests, and how many fields (colons outside strings) it has. */
export function measure(text: string): { readonly depth: number; readonly members: number } {
  let depth = 0
  let deepest = 0
  let members = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 34:
        at = endOfString(text, at)
        break
      case 58:
        members++
        break
      case 91:
      case 123:
        if (++depth > deepest) deepest = depth
        break
      case 93:
      case 125:
        depth--
        break
    }
  }
  return { depth: deepest, members }
}

/** Where the string that begins at `at` ends. */
function endOfString(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = end - 1
    while (text.charCodeAt(escapes) === backslash) escapes--
    if ((end - escapes) % 2 === 1) return end
  }
  return text.length
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) for (const item of value) count += countMembers(item)
  else
    for (const key in value)
      if (Object.hasOwn(value, key)) count += 1 + countMembers((value as Record<string, unknown>)[key])
  return count
}

type Level = { readonly keys: Set<string> | undefined; part: string | number }

/** The paths of fields that stand twice in a text that is known to be JSON. */
function duplicates(text: string): string[] {
  const found = new Set<string>()
  const levels: Level[] = []
  let key: string | undefined
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1)
    switch (text[at]) {
      case '"': {
        const end = endOfString(text, at)
        key = text.slice(at, end + 1)
        at = end
        break
      }
      case ':':
        if (level?.keys !== undefined && key !== undefined) {
          level.part = JSON.parse(key) as string
          if (level.keys.has(level.part)) found.add(formatPath(levels.map(({ part }) => part)))
          level.keys.add(level.part)
        }
        break
      case ',':
        if (typeof level?.part === 'number') level.part++
        break
      case '{':
        levels.push({ keys: new Set(), part: '' })
        break
      case '[':
        levels.push({ keys: undefined, part: 0 })
        break
      case '}':
      case ']':
        levels.pop()
        break
    }
  }
  return [...found].slice(0, mostProblems).map((path) => `duplicate field ${quote(path)}`)
}

const places: readonly (readonly [RegExp, string])[] = [
  [/property name/, 'looking for beginning of object key string'],
  [/',' or '}'/, 'after object key:value pair'],
  [/',' or '\]'/, 'after array element'],
  [/':'/, 'after object key'],
  [/after JSON/, 'after top-level value'],
  [/string literal|escape/i, 'in string literal'],
]

function inGoWords(text: string, message: string): string {
  const position = /position (\d+)/.exec(message)?.[1]
  const token = /token '?([^]?)'?/u.exec(message)?.[1] ?? (position === undefined ? '' : text[Number(position)])
  if (!token || /end of JSON|Unterminated/.test(message)) return 'unexpected end of JSON input'
  const place = places.find(([pattern]) => pattern.test(message))?.[1] ?? 'looking for beginning of value'
  const shown = token === "'" ? "\\'" : token === '"' ? token : quote(token).slice(1, -1)
  return `invalid character '${shown}' ${place}`
}

// YAML bodies, as the values that JSON would give (sigs.k8s.io/yaml: YAML 1.1 without times and binaries, names of
// fields are always text).

import { parseDocument } from 'yaml'
import { measure, mostDepth, type Parsed, parseJson } from '#api/json-text.ts'
import { ok, type Result, wrong } from '#api/result.ts'

/** Parses one document. A field that stands twice is a problem, not an error: the last one counts. */
export function parseYaml(text: string): Result<Parsed> {
  // Most bodies that are called YAML are JSON, which is read fifty times faster as such.
  const json = /^\s*\{/.test(text) ? parseJson(text) : undefined
  if (json?.kind === 'ok' && json.value.problems.length === 0) return json
  // Brackets in text may count here too, so the bound is a wide one; what was parsed is measured again.
  if (measure(text).depth > 10 * mostDepth) return wrong(tooDeep)
  const problems: string[] = []
  try {
    const document = parseDocument(text, {
      version: '1.1',
      merge: true,
      uniqueKeys: false,
      prettyErrors: true,
      logLevel: 'error',
      customTags: (tags) =>
        tags.filter((tag) => typeof tag === 'object' && !/timestamp|binary|omap|pairs|set$/.test(tag.tag)),
    })
    const [error] = document.errors
    if (error !== undefined) return wrong(`error converting YAML to JSON: yaml: ${describe(error)}`)
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (isDeeperThan(value, mostDepth)) return wrong(tooDeep)
    for (const key of repeated(document.contents)) problems.push(`key ${JSON.stringify(key)} already set in map`)
    return ok({ value: value === undefined ? null : value, problems })
  } catch (error) {
    if (error instanceof RangeError || error instanceof ReferenceError)
      return wrong(`error converting YAML to JSON: yaml: ${error.message}`)
    throw error
  }
}

function describe(error: {
  readonly message: string
  readonly linePos?: readonly [{ readonly line: number }, ...unknown[]]
}): string {
  const line = error.linePos?.[0].line
  const text = error.message.split(' at line ')[0]!.replaceAll('\n', ' ')
  return line === undefined ? text : `line ${line}: ${text}`
}

const tooDeep = 'error converting YAML to JSON: yaml: exceeded max depth'

/** Also where an alias makes a value contain itself. */
function isDeeperThan(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return most === 0 || Object.values(value).some((item) => isDeeperThan(item, most - 1))
}

type Node = { readonly items?: readonly { readonly key?: unknown; readonly value?: unknown }[] }

function* repeated(node: unknown): Generator<string> {
  const items = (node as Node | null)?.items
  if (items === undefined) return
  const seen = new Set<string>()
  for (const item of items) {
    if (item.key === undefined) {
      yield* repeated(item)
      continue
    }
    const key = String((item.key as { readonly value?: unknown } | null)?.value)
    if (seen.has(key)) yield key
    seen.add(key)
    yield* repeated(item.value)
  }
}

// YAML bodies, as the values that JSON would give (sigs.k8s.io/yaml: YAML 1.1 without times and binaries, names of
// fields are always text).

import { parseDocument } from 'yaml'
import type { Parsed } from '#api/json-text.ts'
import { ok, type Result, wrong } from '#api/result.ts'

/** Parses one document. A field that stands twice is a problem, not an error: the last one counts. */
export function parseYaml(text: string): Result<Parsed> {
  const problems: string[] = []
  try {
    const document = parseDocument(text, {
      version: '1.1',
      merge: true,
      uniqueKeys: false,
      prettyErrors: true,
      customTags: (tags) =>
        tags.filter((tag) => typeof tag === 'object' && !/timestamp|binary|omap|pairs|set$/.test(tag.tag)),
    })
    const [error] = document.errors
    if (error !== undefined) return wrong(`error converting YAML to JSON: yaml: ${describe(error)}`)
    const value: unknown = document.toJS({ maxAliasCount: 100 })
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

// Field selectors: `metadata.name=web,spec.nodeName!=node-1`, with the grammar and texts of apimachinery's fields.

import { quote } from '#api/go-text.ts'
import { ok, type Result, wrong } from '#api/result.ts'

export type FieldRequirement = { readonly field: string; readonly equals: boolean; readonly value: string }
/** All of them hold. An empty one selects everything. */
export type FieldRequirements = readonly FieldRequirement[]

/** `valueOf` a field that an object does not have is undefined, and counts as the empty text. */
export function matchFields(requirements: FieldRequirements, valueOf: (field: string) => string | undefined): boolean {
  return requirements.every(({ field, equals, value }) => ((valueOf(field) ?? '') === value) === equals)
}

/** The value that a field must have, where the selector names exactly one. */
export function exactField(requirements: FieldRequirements, field: string): string | undefined {
  return requirements.find((requirement) => requirement.field === field && requirement.equals)?.value
}

export function formatFields(requirements: FieldRequirements): string {
  return requirements
    .map(({ field, equals, value }) => `${field}${equals ? '=' : '!='}${value.replaceAll(/[\\,=]/g, '\\$&')}`)
    .join(',')
}

/** Parses the text form; a backslash stands before a `,`, `=` or backslash that belongs to a value. */
export function parseFieldSelector(text: string): Result<FieldRequirements> {
  const terms = [...text.matchAll(/(?:^|,)((?:\\[^]|[^,\\])*\\?)/g)].map(([, term]) => term!)
  const requirements: FieldRequirement[] = []
  for (const term of terms.sort()) {
    if (term === '') continue
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term)
    if (match === null) return wrong(`invalid selector: '${text}'; can't understand '${term}'`)
    const value = unescape(match[3]!)
    if (value.kind === 'error') return value
    requirements.push({ field: match[1]!, equals: match[2] !== '!=', value: value.value })
  }
  return ok(requirements)
}

function unescape(text: string): Result<string> {
  let value = ''
  for (const [part] of text.matchAll(/\\[^]?|[^\\]/gu)) {
    if (part === ',' || part === '=')
      return wrong(`invalid field selector: unescaped character in value: ${part.charCodeAt(0)}`)
    if (part.startsWith('\\') && !['\\\\', '\\,', '\\='].includes(part))
      return wrong(`invalid field selector: invalid escape sequence: ${part}`)
    value += part.startsWith('\\') ? part[1] : part
  }
  return ok(value)
}

/**
 * What a server says of a selector that uses fields which the kind does not offer; undefined if it uses none. `offered`
 * holds the kind's own fields; metadata.name and metadata.namespace are always there.
 */
export function unknownField(requirements: FieldRequirements, offered: readonly string[]): string | undefined {
  const always = ['metadata.name', 'metadata.namespace']
  const unknown = requirements.find(({ field }) => !always.includes(field) && !offered.includes(field))
  if (unknown === undefined) return undefined
  return offered.some((field) => !always.includes(field))
    ? `field label not supported: ${unknown.field}`
    : `${quote(unknown.field)} is not a known field selector: only ${always.map(quote).join(', ')}`
}

// The `rewrite` plugin, as far as clusters use it: another name or type is looked up than was asked, and the answer
// carries the name that was asked.

import type { CorefileError, Directive } from '#dns/corefile/syntax.ts'
import { normalName } from '#dns/wire/name.ts'
import { recordTypes, type RecordTypeName } from '#dns/wire/record.ts'

export type RewriteRule = {
  /** after a match no further rule is looked at */
  readonly last: boolean
} & (
  | {
      readonly kind: 'name'
      readonly match: NameMatch
      readonly from: string
      readonly to: string
      readonly answer: 'asked' | 'as-found'
    }
  | { readonly kind: 'type'; readonly from: number; readonly to: number }
)
export type NameMatch = 'exact' | 'prefix' | 'suffix' | 'substring' | 'regex'

const matches: readonly string[] = ['exact', 'prefix', 'suffix', 'substring', 'regex']

export function parseRewrite(directive: Directive): { readonly rule: RewriteRule } | { readonly error: CorefileError } {
  const wrong = (message: string) => ({ error: { line: directive.line, message: `rewrite: ${message}` } })
  let words = [...directive.args]
  const last = words[0] !== 'continue'
  if (words[0] === 'continue' || words[0] === 'stop') words = words.slice(1)
  const [field, ...rest] = words
  if (field === 'type') {
    if (rest.length > 2) return wrong(`unknown words ${JSON.stringify(rest.slice(2).join(' '))}`)
    const [from, to] = rest.map((word) => recordTypes[word.toUpperCase() as RecordTypeName] as number | undefined)
    if (from === undefined || to === undefined) return wrong('type takes two record types, as in "rewrite type AAAA A"')
    return { rule: { kind: 'type', from, to, last } }
  }
  if (field !== 'name') return wrong(`cannot rewrite ${JSON.stringify(field ?? '')}: known are name and type`)
  const match = matches.includes(rest[0] ?? '') ? (rest.shift() as NameMatch) : 'exact'
  const [from, to, ...more] = rest
  if (from === undefined || to === undefined) return wrong('name takes what is asked and what is looked up')
  // `answer auto` restores the asked name; it is also what happens to exact matches without it.
  if (more.length > 0 && more.join(' ') !== 'answer auto')
    return wrong(`unknown words ${JSON.stringify(more.join(' '))}: known is "answer auto"`)
  if (match === 'regex' && !isRegex(from)) return wrong(`${JSON.stringify(from)} is no regular expression`)
  const answer = more.length > 0 || match === 'exact' ? 'asked' : 'as-found'
  const plain = (text: string) => (match === 'regex' ? text : normalName(text))
  return { rule: { kind: 'name', match, from: plain(from), to: plain(to), answer, last } }
}

/** What is looked up for a question, and whether the answer is to carry the asked name. */
export function rewrite(
  rules: readonly RewriteRule[],
  asked: { readonly name: string; readonly type: number },
): { readonly name: string; readonly type: number; readonly restore: boolean } {
  let { name, type } = asked
  let restore = false
  for (const rule of rules) {
    if (rule.kind === 'type') {
      if (type !== rule.from) continue
      type = rule.to
    } else {
      const changed = rewriteName(rule.match, rule.from, rule.to, name)
      if (changed === undefined) continue
      name = changed
      restore = rule.answer === 'asked'
    }
    if (rule.last) break
  }
  return { name, type, restore }
}

function rewriteName(match: NameMatch, from: string, to: string, name: string): string | undefined {
  switch (match) {
    case 'exact':
      return name === from ? to : undefined
    case 'prefix':
      return name.startsWith(from) ? to + name.slice(from.length) : undefined
    case 'suffix':
      return name.endsWith(from) ? name.slice(0, -from.length) + to : undefined
    case 'substring':
      return name.includes(from) ? name.replaceAll(from, to) : undefined
    case 'regex': {
      const found = new RegExp(from).exec(`${name}.`) ?? new RegExp(from).exec(name)
      return found === null
        ? undefined
        : normalName(to.replaceAll(/\{(\d+)\}/g, (_, index: string) => found[Number(index)] ?? ''))
    }
  }
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text).source !== ''
  } catch {
    return false
  }
}

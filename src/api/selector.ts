// Label selectors: the text form of URLs and kubectl (`app=web,tier in (a, b),!old`) and the LabelSelector of objects,
// with the grammar and the texts of apimachinery's labels and meta/v1.

import { invalid, formatFieldError } from '#api/field-error.ts'
import { quote } from '#api/go-text.ts'
import type { LabelSelector } from '#api/meta.ts'
import * as names from '#api/names.ts'
import { ok, type Result, wrong } from '#api/result.ts'

export type Labels = { readonly [key: string]: string }

/** One condition on labels. `never` holds for nothing; it stands for the selector that an object does not have. */
export type Requirement = {
  readonly key: string
  readonly operator: '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt' | 'never'
  readonly values: readonly string[]
}

/** A selector: all of them hold. An empty one selects everything. */
export type Requirements = readonly Requirement[]

export const nothing: Requirements = [{ key: '', operator: 'never', values: [] }]

export function matchLabels(requirements: Requirements, labels: Labels | undefined): boolean {
  return requirements.every((requirement) => holds(requirement, labels?.[requirement.key]))
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case 'gt':
    case 'lt': {
      if (value === undefined || !/^[-+]?\d+$/.test(value)) return false
      const found = BigInt(value.replace('+', ''))
      const bound = BigInt(values[0]!.replace('+', ''))
      return operator === 'gt' ? found > bound : found < bound
    }
    case 'never':
      return false
  }
}

/** Whether a plain map of labels, as in a Service, selects: an empty or absent one selects nothing. */
export function matchSelectorMap(selector: Labels | undefined, labels: Labels | undefined): boolean {
  const keys = Object.keys(selector ?? {})
  return keys.length > 0 && keys.every((key) => labels?.[key] === selector![key])
}

const operators = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' } as const

/** The requirements of an object's LabelSelector: none at all for `{}`, `nothing` where there is no selector. */
export function requirementsOf(selector: LabelSelector | undefined): Result<Requirements> {
  if (selector === undefined) return ok(nothing)
  const requirements: Requirement[] = []
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const made = requirement(key, '=', [value])
    if (made.kind === 'error') return made
    requirements.push(made.value)
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const word = operators[operator as keyof typeof operators]
    if (word === undefined) return wrong(`${quote(operator)} is not a valid label selector operator`)
    const made = requirement(key, word, values)
    if (made.kind === 'error') return made
    requirements.push(made.value)
  }
  return ok(byKey(requirements))
}

/** Whether an object's LabelSelector selects these labels. A selector that makes no sense selects nothing. */
export function matchLabelSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  const requirements = requirementsOf(selector)
  return requirements.kind === 'ok' && matchLabels(requirements.value, labels)
}

/** The text form: `app=web,tier in (a,b)`. */
export function formatRequirements(requirements: Requirements): string {
  return requirements.map(formatRequirement).join(',')
}

/** As kubectl shows an object's selector: `<none>` for an empty one. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const requirements = requirementsOf(selector)
  return requirements.kind === 'error' ? '<error>' : formatRequirements(requirements.value) || '<none>'
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'exists':
      return key
    case '!':
      return `!${key}`
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`
    case 'gt':
      return `${key}>${values[0]}`
    case 'lt':
      return `${key}<${values[0]}`
    case 'never':
      return ''
    default:
      return `${key}${operator}${values.join(',')}`
  }
}

/** A requirement whose key and values are of the right form. */
export function requirement(
  key: string,
  operator: Requirement['operator'],
  values: readonly string[],
): Result<Requirement> {
  const errors = [
    ...checkKey(key, 'key'),
    ...checkCount(operator, values),
    ...values.flatMap((value, at) => {
      const wrongs = names.labelValue(value)
      return wrongs.length === 0 ? [] : [invalid(`values[${at}][${key}]`, value, wrongs.join('; '))]
    }),
  ]
  if (errors.length === 0) return ok({ key, operator, values })
  const texts = [...new Set(errors.map(formatFieldError))]
  return wrong(texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`)
}

function checkKey(key: string, path: string) {
  const errors = names.qualifiedName(key)
  return errors.length === 0 ? [] : [invalid(path, key, errors.join('; '))]
}

function checkCount(operator: Requirement['operator'], values: readonly string[]) {
  switch (operator) {
    case 'in':
    case 'notin':
      return values.length > 0
        ? []
        : [invalid('values', values, "for 'in', 'notin' operators, values set can't be empty")]
    case '=':
    case '==':
    case '!=':
      return values.length === 1
        ? []
        : [invalid('values', values, 'exact-match compatibility requires one single value')]
    case 'exists':
    case '!':
      return values.length === 0
        ? []
        : [invalid('values', values, 'values set must be empty for exists and does not exist')]
    case 'gt':
    case 'lt':
      return values
        .filter((value) => !/^[-+]?\d+$/.test(value))
        .map((value) => invalid('values[0]', value, "for 'Gt', 'Lt' operators, the value must be an integer"))
    case 'never':
      return []
  }
}

const byKey = (requirements: Requirement[]) => requirements.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))

type Token = { readonly word: string; readonly is: 'end' | 'symbol' | 'identifier' }
const end: Token = { word: '', is: 'end' }

/** Parses the text form. An empty text selects everything. */
export function parseLabelSelector(text: string): Result<Requirements> {
  try {
    return ok(byKey(parseAll(scan(text))))
  } catch (error) {
    if (error instanceof SelectorError) return wrong(error.message)
    throw error
  }
}

/** Ends the parsing of one text; never leaves this file. */
class SelectorError extends Error {}

/** Longest symbols first; `in` and `notin` are words like any other until a place for an operator is reached. */
function scan(text: string): Token[] {
  const tokens: Token[] = []
  for (const [word, symbols, identifier] of text.matchAll(/([=!(),<>]+)|([^\s=!(),<>]+)/g)) {
    if (identifier !== undefined) tokens.push({ word, is: 'identifier' })
    else for (const [symbol] of symbols!.matchAll(/==|!=|[=!(),<>]/g)) tokens.push({ word: symbol, is: 'symbol' })
  }
  return tokens
}

function parseAll(tokens: readonly Token[]): Requirement[] {
  const requirements: Requirement[] = []
  const cursor = { tokens, at: 0 }
  if (peek(cursor).is === 'end') return requirements
  if (!beginsRequirement(peek(cursor)))
    throw new SelectorError(`found '${peek(cursor).word}', expected: !, identifier, or 'end of string'`)
  for (;;) {
    requirements.push(parseRequirement(cursor))
    const next = take(cursor)
    if (next.is === 'end') return requirements
    if (next.word !== ',') throw new SelectorError(`found '${next.word}', expected: ',' or 'end of string'`)
    if (!beginsRequirement(peek(cursor)))
      throw new SelectorError(`found '${peek(cursor).word}', expected: identifier after ','`)
  }
}

type Cursor = { readonly tokens: readonly Token[]; at: number }
const peek = ({ tokens, at }: Cursor): Token => tokens[at] ?? end
const take = (cursor: Cursor): Token => cursor.tokens[cursor.at++] ?? end
const beginsRequirement = ({ word, is }: Token) => is === 'identifier' || word === '!'

function parseRequirement(cursor: Cursor): Requirement {
  const fail = (text: string): never => {
    throw new SelectorError(`unable to parse requirement: ${text}`)
  }
  const isNegated = peek(cursor).word === '!'
  if (isNegated) take(cursor)
  const key = take(cursor)
  if (key.is !== 'identifier') return fail(`found '${key.word}', expected: identifier`)
  const [wrongKey] = checkKey(key.word, '<nil>')
  if (wrongKey) return fail(formatFieldError(wrongKey))
  const made = ((): Result<Requirement> => {
    if (isNegated) return requirement(key.word, '!', [])
    if (peek(cursor).is === 'end' || peek(cursor).word === ',') return requirement(key.word, 'exists', [])
    const operator = take(cursor)
    switch (operator.word) {
      case 'in':
      case 'notin':
        return requirement(key.word, operator.word, parseValues(cursor, fail))
      case '=':
      case '==':
      case '!=':
        return requirement(key.word, operator.word, parseExact(cursor, fail))
      case '>':
      case '<':
        return requirement(key.word, operator.word === '>' ? 'gt' : 'lt', parseExact(cursor, fail))
    }
    return fail(`found '${operator.word}', expected: in, notin, =, ==, !=, gt, lt`)
  })()
  return made.kind === 'ok' ? made.value : fail(made.message)
}

function parseExact(cursor: Cursor, fail: (text: string) => never): string[] {
  const next = peek(cursor)
  if (next.is === 'end' || next.word === ',') return ['']
  take(cursor)
  return next.is === 'identifier' ? [next.word] : fail(`found '${next.word}', expected: identifier`)
}

/** `(a, b)`; an empty place between commas is the empty value. */
function parseValues(cursor: Cursor, fail: (text: string) => never): string[] {
  const open = take(cursor)
  if (open.word !== '(') return fail(`found '${open.word}' expected: '('`)
  const values = new Set<string>()
  for (let wantsValue = true; ;) {
    const next = take(cursor)
    if (next.is === 'identifier' && wantsValue) {
      values.add(next.word)
      wantsValue = false
    } else if (next.word === ',' || next.word === ')') {
      if (wantsValue) values.add('')
      if (next.word === ')') return [...values].sort()
      wantsValue = true
    } else if (!wantsValue) return fail(`found '${next.word}', expected: ',' or ')'`)
    else return fail(`found '${next.word}', expected: ${values.size === 0 ? "',', ')' or" : "',', or"} identifier`)
  }
}

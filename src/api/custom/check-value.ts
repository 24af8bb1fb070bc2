// Whether a value is as its schema says, in the words of Kubernetes (kube-openapi's validation/validate, and
// apiextensions-apiserver's validation).

import { additionalOf, isIntOrString, itemsOf, type Node } from '#api/custom/schema-node.ts'
import { formatCheck, patternOf } from '#api/custom/format.ts'
import { type FieldError, invalid, notSupported, required, tooLong, tooMany, typeInvalid } from '#api/field-error.ts'
import type { Work } from '#api/pattern/pattern.ts'
import { quote } from '#api/go-text.ts'
import { sameJson } from '#api/apply/json-value.ts'

/** What was found, and how much of the schema fitted: of several alternatives the one that fits best tells its errors. */
type Result = { readonly errors: Found[]; matches: number; readonly work: Work }
type Found =
  | { readonly kind: 'field'; readonly make: (path: string) => FieldError; readonly path: string }
  /** about alternatives: it is of no field */
  | { readonly kind: 'whole'; readonly message: string }

/** `path`: of the value in the object; '' for the object itself. */
export function checkValue(value: unknown, node: Node, path = ''): FieldError[] {
  const { errors } = check(value, node, '', { left: mostWork })
  return errors.map((found) => {
    if (found.kind === 'whole') return invalid(path || '<nil>', '', found.message)
    const inner = found.path.replace(/^\./, '')
    return found.make([path, inner].filter((part) => part !== '').join('.') || '<nil>')
  })
}

/** Nothing is wrong with it. */
export const isOf = (value: unknown, node: Node): boolean =>
  check(value, node, '', { left: mostWork }).errors.length === 0

/** What matching all patterns of one object may cost: some 0.1 s. */
const mostWork = 5_000_000

function say(into: Result, path: string, make: (path: string) => FieldError): void {
  into.errors.push({ kind: 'field', path, make })
}

function merge(into: Result, other: Result): void {
  into.errors.push(...other.errors)
  into.matches += other.matches
}

type Check = (into: Result, value: unknown, node: Node, path: string) => void

function check(value: unknown, node: Node, path: string, work: Work): Result {
  const all: Result = { errors: [], matches: 0, work }
  const checks: readonly Check[] = value === null ? [checkType, checkEnum] : checksFor(value)
  for (const one of checks) {
    one(all, value, node, path)
    all.matches++
  }
  all.matches++
  return all
}

function checksFor(value: unknown): readonly Check[] {
  if (Array.isArray(value)) return [checkType, checkAlternatives, checkList, checkEnum]
  switch (typeof value) {
    case 'string':
      return [checkType, checkAlternatives, checkString, checkFormat, checkEnum]
    case 'number':
      return [checkType, checkAlternatives, checkNumber, checkEnum]
    case 'object':
      return [checkType, checkAlternatives, checkEnum, checkObject]
    default:
      return [checkType, checkAlternatives, checkEnum]
  }
}

export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

const typesOf = (node: Node): readonly string[] =>
  isIntOrString(node) ? ['integer', 'string'] : node.type ? [node.type] : []

const mustBe = (into: Result, path: string, type: string, value: string) =>
  say(into, path, (at) => typeInvalid(at, value, `${path} in body must be of type ${type}: ${quote(value)}`))

function checkType(into: Result, value: unknown, node: Node, path: string): void {
  const types = typesOf(node)
  const found = typeName(value)
  if (types.length === 0) return
  if (value === null) {
    if (node.nullable !== true) mustBe(into, path, types.join(','), 'null')
    return
  }
  const fits = types.includes(found) || (found === 'integer' && types.includes('number'))
  // A string with a format is checked by its format alone.
  const hasFormat = node.format !== undefined && formatCheck(node.format) !== undefined
  if (fits || (found === 'string' && hasFormat && !types.includes('number') && !types.includes('integer')))
    into.matches++
  else mustBe(into, path, types.join(','), found)
}

function checkEnum(into: Result, value: unknown, node: Node, path: string): void {
  const allowed = node.enum
  if (allowed === undefined || allowed.length === 0 || allowed.some((one) => sameJson(one, value))) return
  const names = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  say(into, path, (at) => notSupported(at, value, names))
}

function checkString(into: Result, value: unknown, node: Node, path: string): void {
  const text = value as string
  const { maxLength, minLength, pattern } = node
  const length = maxLength === undefined && minLength === undefined ? 0 : [...text].length
  const wrong = (why: string) => say(into, path, (at) => invalid(at, value, `${path} in body should ${why}`))
  if (maxLength !== undefined && length > maxLength) say(into, path, (at) => tooLong(at, maxLength))
  else if (minLength !== undefined && length < minLength) wrong(`be at least ${minLength} chars long`)
  else if (pattern) {
    const compiled = patternOf(pattern)
    const isMatch = !(compiled instanceof Error) && compiled.test(text, into.work)
    if (isMatch === undefined) wrong(`match '${pattern}', which takes too long to tell`)
    else if (!isMatch) wrong(`match '${pattern}'`)
  }
}

function checkFormat(into: Result, value: unknown, node: Node, path: string): void {
  const { format } = node
  if (format === undefined || (node.type !== undefined && node.type !== 'string')) return
  const isRight = formatCheck(format)
  if (isRight === undefined || isRight(value as string)) return
  mustBe(into, path, format, value as string)
}

function checkNumber(into: Result, value: unknown, node: Node, path: string): void {
  const number = value as number
  const { type, format, multipleOf, maximum, exclusiveMaximum, minimum, exclusiveMinimum } = node
  const wrong = (why: string) => say(into, path, (at) => invalid(at, value, `${path} in body should be ${why}`))
  if (type === 'integer') {
    const bound = format === 'int32' ? 2 ** 31 : 2 ** 63
    if (number >= bound || number < -bound) {
      const known = format === 'int32' || format === 'int64' ? `with format ${format}` : '(default format)'
      into.errors.push({ kind: 'whole', message: `Checked value must be of type integer ${known} in ${path}` })
    }
  }
  if (multipleOf !== undefined && !Number.isInteger(number / multipleOf)) wrong(`a multiple of ${multipleOf}`)
  if (minimum !== undefined && (exclusiveMinimum ? number <= minimum : number < minimum))
    wrong(exclusiveMinimum ? `greater than ${minimum}` : `greater than or equal to ${minimum}`)
  if (maximum !== undefined && (exclusiveMaximum ? number >= maximum : number > maximum))
    wrong(exclusiveMaximum ? `less than ${maximum}` : `less than or equal to ${maximum}`)
  into.matches++
}

function checkList(into: Result, value: unknown, node: Node, path: string): void {
  const list = value as readonly unknown[]
  const items = itemsOf(node)
  const { minItems, maxItems } = node
  if (items !== undefined)
    for (const [at, item] of list.entries()) merge(into, check(item, items, `${path}[${at}]`, into.work))
  if (minItems !== undefined && list.length < minItems)
    say(into, path, (at) => invalid(at, list.length, `${path} in body should have at least ${minItems} items`))
  if (maxItems !== undefined && list.length > maxItems) say(into, path, (at) => tooMany(at, list.length, maxItems))
  into.matches++
}

function checkObject(into: Result, value: unknown, node: Node, path: string): void {
  const object = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(object)
  const { minProperties, maxProperties, properties = {}, additionalProperties } = node
  if (minProperties !== undefined && keys.length < minProperties)
    say(into, path, (at) =>
      invalid(at, keys.length, `${path} in body should have at least ${minProperties} properties`),
    )
  if (maxProperties !== undefined && keys.length > maxProperties)
    say(into, path, (at) => tooMany(at, keys.length, maxProperties))
  const more = additionalOf(node)
  for (const key of keys) {
    if (Object.hasOwn(properties, key)) continue
    if (additionalProperties === false)
      say(into, path, (at) => invalid(at, key, `${path}.${key} in body is a forbidden property`))
    else if (more !== undefined && more !== true) merge(into, check(object[key], more, `${path}.${key}`, into.work))
  }
  for (const [name, property] of Object.entries(properties))
    if (Object.hasOwn(object, name))
      merge(into, check(object[name], property, path === '' ? name : `${path}.${name}`, into.work))
  for (const name of node.required ?? [])
    if (!Object.hasOwn(object, name)) say(into, `${path}.${name}`, (at) => required(at))
}

function checkAlternatives(into: Result, value: unknown, node: Node, path: string): void {
  const { anyOf = [], oneOf = [], allOf = [], not } = node
  const whole = (message: string) => into.errors.push({ kind: 'whole', message: `${quote(path)} ${message}` })
  const each = (nodes: readonly Node[]) => nodes.map((one) => check(value, one, path, into.work))
  const isGood = ({ errors }: Result) => errors.length === 0
  if (anyOf.length > 0) {
    const results = each(anyOf)
    const first = results.find(isGood)
    if (first === undefined) whole('must validate at least one schema (anyOf)')
    merge(into, first ?? best(results))
  }
  if (oneOf.length > 0) {
    const results = each(oneOf)
    const good = results.filter(isGood)
    if (good.length === 1) merge(into, good[0]!)
    else {
      const found = good.length === 0 ? 'Found none valid' : `Found ${good.length} valid alternatives`
      whole(`must validate one and only one schema (oneOf). ${found}`)
      if (good.length === 0) merge(into, best(results))
    }
  }
  if (allOf.length > 0) {
    const results = each(allOf)
    for (const one of results) merge(into, one)
    const good = results.filter(isGood).length
    if (good < results.length) whole(`must validate all the schemas (allOf)${good === 0 ? '. None validated' : ''}`)
  }
  if (not !== undefined && isGood(check(value, not, path, into.work))) whole('must not validate the schema (not)')
  into.matches++
}

const best = (results: readonly Result[]): Result =>
  results.reduce((most, one) => (one.matches > most.matches ? one : most))

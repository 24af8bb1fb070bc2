// One step of a path to a field, as the text that managedFields use: `f:NAME`, `k:{"port":80}` for an element of a list
// with keys, `v:"x"` for a value of a set, `i:0` for an index.

import { goJson, goTypeName, quote } from '#api/go-text.ts'
import type { ListKey, Shape } from '#api/apply/shape.ts'

export type PathElement = string

export const fieldElement = (name: string): PathElement => `f:${name}`

type List = Extract<Shape, { kind: 'list' }>

/** The step to an element of a list; an Error's message says why the list cannot have it. */
export function listElement(list: List, element: unknown): PathElement | Error {
  return list.how === 'map' ? keyElement(list.keys, element) : valueElement(element)
}

function keyElement(keys: readonly ListKey[], element: unknown): PathElement | Error {
  if (element === null) return new Error('associative list with keys may not have a null element')
  if (typeof element !== 'object' || Array.isArray(element))
    return new Error('associative list with keys may not have non-map elements')
  const found: [string, unknown][] = []
  for (const key of keys) {
    const value = (element as Record<string, unknown>)[key.name]
    if (value !== undefined) found.push([key.name, value])
    else if (key.default !== undefined) found.push([key.name, key.default])
  }
  if (found.length > 0) return keyText(found)
  const names = keys.map(({ name }) => quote(name)).join(' ')
  return new Error(
    `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
  )
}

const keyText = (pairs: [string, unknown][]): PathElement =>
  `k:{${pairs
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${goJson(name)}:${goJson(value)}`)
    .join(',')}}`

function valueElement(element: unknown): PathElement | Error {
  if (element === null) return new Error("associative list without keys has an element that's an explicit null")
  if (Array.isArray(element)) return new Error('not supported: associative list with lists as elements')
  if (typeof element === 'object') return new Error("associative list without keys has an element that's a map type")
  return `v:${goJson(element)}`
}

/** Reads a step as anyone may have written it; undefined for what is none. */
export function parseElement(text: string): PathElement | undefined {
  if (text.startsWith('f:') || /^i:\d+$/.test(text)) return text
  try {
    const value: unknown = JSON.parse(text.slice(2))
    if (text.startsWith('v:')) return `v:${goJson(value)}`
    if (text.startsWith('k:') && goTypeName(value).startsWith('map')) return keyText(Object.entries(value as object))
  } catch {
    return undefined
  }
  return undefined
}

/** `.spec.ports[port=80,protocol="TCP"].name` */
export function formatElements(path: readonly PathElement[]): string {
  return path.map(formatElement).join('')
}

function formatElement(element: PathElement): string {
  const rest = element.slice(2)
  switch (element[0]) {
    case 'f':
      return `.${rest}`
    case 'k': {
      const pairs = Object.entries(JSON.parse(rest) as object)
      return `[${pairs.map(([name, value]) => `${name}=${show(value)}`).join(',')}]`
    }
    case 'v':
      return `[=${show(JSON.parse(rest))}]`
    default:
      return `[${rest}]`
  }
}

const show = (value: unknown) => (typeof value === 'string' ? quote(value) : goJson(value))

/** Fields come first, then keys, then values; numbers count as numbers. */
export function compareElements(a: PathElement, b: PathElement): number {
  if (a[0] !== b[0]) return order.indexOf(a[0]!) - order.indexOf(b[0]!)
  switch (a[0]) {
    case 'k':
      return compareKeys(JSON.parse(a.slice(2)) as object, JSON.parse(b.slice(2)) as object)
    case 'v':
      return compareValues(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)))
    case 'i':
      return Number(a.slice(2)) - Number(b.slice(2))
    default:
      return a < b ? -1 : Number(a > b)
  }
}

const order = 'fkvi'

function compareKeys(a: object, b: object): number {
  const left = Object.entries(a)
  const right = Object.entries(b)
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [name, value] = left[at]!
    const [otherName, otherValue] = right[at]!
    if (name !== otherName) return name < otherName ? -1 : 1
    const result = compareValues(value, otherValue)
    if (result !== 0) return result
  }
  return left.length - right.length
}

const ranks = ['number', 'string', 'boolean']

function compareValues(a: unknown, b: unknown): number {
  if (typeof a !== typeof b) return ranks.indexOf(typeof a) - ranks.indexOf(typeof b)
  const left = a as string
  const right = b as string
  return left < right ? -1 : Number(left > right)
}

// Sets of paths to fields, as trees: what managedFields hold (the form FieldsV1), and what a change touches.

import { compareElements, parseElement, type PathElement } from '#api/apply/path-element.ts'
import type { Shape } from '#api/apply/shape.ts'

/**
 * The steps that lead on from one place. A step may be in the set itself (`member`), and lead to others that are.
 * A step that is neither does not stand in the map.
 */
export type FieldSet = ReadonlyMap<PathElement, FieldNode>
export type FieldNode = { readonly member: boolean; readonly below: FieldSet }

/** A set that is being made. */
export type FieldSetDraft = Map<PathElement, { member: boolean; below: FieldSetDraft }>

export const emptySet: FieldSet = new Map()

export function insertPath(set: FieldSetDraft, path: readonly PathElement[]): void {
  let at = set
  for (const [depth, element] of path.entries()) {
    let node = at.get(element)
    if (node === undefined) {
      node = { member: false, below: new Map() }
      at.set(element, node)
    }
    if (depth === path.length - 1) node.member = true
    at = node.below
  }
}

export function setOf(...paths: readonly (readonly PathElement[])[]): FieldSet {
  const set: FieldSetDraft = new Map()
  for (const path of paths) insertPath(set, path)
  return set
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a.size === 0) return b
  if (b.size === 0) return a
  const result = new Map(a)
  for (const [element, node] of b) {
    const other = a.get(element)
    result.set(
      element,
      other === undefined ? node : { member: node.member || other.member, below: union(other.below, node.below) },
    )
  }
  return result
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result = new Map<PathElement, FieldNode>()
  for (const [element, node] of a) {
    const other = b.get(element)
    if (other === undefined) continue
    const member = node.member && other.member
    const below = intersection(node.below, other.below)
    if (member || below.size > 0) result.set(element, { member, below })
  }
  return result
}

/** Without the paths of `b`; what lies below them stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, false)
}

/** Without the paths of `b` and all that lies below them. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, true)
}

function subtract(a: FieldSet, b: FieldSet, isDeep: boolean): FieldSet {
  if (b.size === 0 || a.size === 0) return a
  const result = new Map<PathElement, FieldNode>()
  for (const [element, node] of a) {
    const other = b.get(element)
    if (other === undefined) result.set(element, node)
    else if (!isDeep || !other.member) {
      const member = node.member && !other.member
      const below = subtract(node.below, other.below, isDeep)
      if (member || below.size > 0) result.set(element, { member, below })
    }
  }
  return result
}

/** Every field of a struct on the way to a path counts as a path of its own. */
export function withNamedFields(set: FieldSet, shape: Shape | undefined): FieldSet {
  const result = new Map<PathElement, FieldNode>()
  for (const [element, node] of set) {
    const isField = element.startsWith('f:')
    const named = shape?.kind === 'struct' && isField ? shape.field(element.slice(2)) : undefined
    const below = withNamedFields(node.below, named ?? belowOf(shape, isField))
    result.set(element, { member: node.member || (named !== undefined && node.below.size > 0), below })
  }
  return result
}

function belowOf(shape: Shape | undefined, isField: boolean): Shape | undefined {
  if (shape?.kind === 'any') return shape
  if (shape?.kind === 'map' && isField) return shape.value
  return shape?.kind === 'list' && !isField ? shape.element : undefined
}

export function hasPath(set: FieldSet, path: readonly PathElement[]): boolean {
  let at = set
  for (const [depth, element] of path.entries()) {
    const node = at.get(element)
    if (node === undefined) return false
    if (depth === path.length - 1) return node.member
    at = node.below
  }
  return false
}

/** All paths: first those that end here, then those that lead on, each in order. */
export function* pathsIn(set: FieldSet, before: readonly PathElement[] = []): Generator<readonly PathElement[]> {
  const elements = [...set].sort(([a], [b]) => compareElements(a, b))
  for (const [element, { member }] of elements) if (member) yield [...before, element]
  for (const [element, { below }] of elements) yield* pathsIn(below, [...before, element])
}

export type FieldsV1 = { readonly [key: string]: FieldsV1 }

/** `{"f:spec":{".":{},"f:type":{}}}` */
export function encodeFields(set: FieldSet): FieldsV1 {
  const fields: Record<string, FieldsV1> = {}
  for (const [element, { member, below }] of [...set].sort(([a], [b]) => compareElements(a, b)))
    fields[element] = below.size === 0 ? {} : member ? { '.': {}, ...encodeFields(below) } : encodeFields(below)
  return fields
}

/** Undefined for what is no such text. Steps of a kind that is not known are left out. */
export function decodeFields(fields: unknown): FieldSet | undefined {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return undefined
  const set = new Map<PathElement, FieldNode>()
  for (const [key, value] of Object.entries(fields as Record<string, unknown>)) {
    if (key === '.') continue
    const isKnown = /^[fkvi]:/.test(key)
    const element = parseElement(key)
    const below = decodeFields(value)
    if (isKnown && (element === undefined || below === undefined)) return undefined
    if (element === undefined || below === undefined) continue
    const member = below.size === 0 || Object.hasOwn(value as object, '.')
    set.set(element, { member, below })
  }
  return set
}

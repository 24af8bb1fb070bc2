// What changed between two objects, as sets of paths (structured-merge-diff's Compare).

import { isJsonObject, sameJson } from '#api/apply/json-value.ts'
import { type FieldSet, type FieldSetDraft, insertPath } from '#api/apply/field-set.ts'
import { fieldElement, listElement, type PathElement } from '#api/apply/path-element.ts'
import { type Shape, shapeFor } from '#api/apply/shape.ts'

export type Comparison = { readonly added: FieldSet; readonly modified: FieldSet; readonly removed: FieldSet }

type Walk = {
  readonly added: FieldSetDraft
  readonly modified: FieldSetDraft
  readonly removed: FieldSetDraft
  readonly path: PathElement[]
}

export function compareObjects(from: unknown, to: unknown, shape: Shape): Comparison {
  const walk: Walk = { added: new Map(), modified: new Map(), removed: new Map(), path: [] }
  compareValues(walk, from, to, shape)
  return walk
}

/** Undefined: there is no value. */
function compareValues(walk: Walk, from: unknown, to: unknown, declared: Shape): void {
  if (from === to || (from === undefined && to === undefined)) return
  const shape = shapeFor(declared, from, to)
  if (!descend(walk, from, to, shape) && from !== undefined && to !== undefined) {
    if (!sameJson(from, to)) insertPath(walk.modified, walk.path)
    return
  }
  if (from === undefined) insertPath(walk.added, walk.path)
  else if (to === undefined) insertPath(walk.removed, walk.path)
}

/** Compares what is inside; false where the values count only as a whole. */
function descend(walk: Walk, from: unknown, to: unknown, shape: Shape): boolean {
  if (shape.kind === 'list') {
    const before = Array.isArray(from) ? from : []
    const after = Array.isArray(to) ? to : []
    if (shape.how === 'atomic' || (before.length === 0 && after.length === 0)) return false
    compareLists(walk, before, after, shape)
    return true
  }
  if (shape.kind !== 'struct' && shape.kind !== 'map') return false
  const before = isJsonObject(from) ? from : {}
  const after = isJsonObject(to) ? to : {}
  if (shape.isAtomic || (Object.keys(before).length === 0 && Object.keys(after).length === 0)) return false
  for (const key in before) compareField(walk, key, before[key], after[key], shape)
  for (const key in after) if (before[key] === undefined) compareField(walk, key, undefined, after[key], shape)
  return true
}

function compareField(
  walk: Walk,
  key: string,
  from: unknown,
  to: unknown,
  shape: Extract<Shape, { kind: 'struct' | 'map' }>,
): void {
  const inner = shape.kind === 'struct' ? shape.field(key) : shape.value
  if (inner === undefined) return
  walk.path.push(fieldElement(key))
  compareValues(walk, from, to, inner)
  walk.path.pop()
}

function compareLists(
  walk: Walk,
  from: readonly unknown[],
  to: readonly unknown[],
  shape: Extract<Shape, { kind: 'list' }>,
): void {
  const before = byElement(from, shape)
  const after = byElement(to, shape)
  for (const element of new Set([...before.keys(), ...after.keys()])) {
    walk.path.push(element)
    compareElementLists(walk, before.get(element) ?? [], after.get(element) ?? [], shape.element)
    walk.path.pop()
  }
}

/** Elements by their key; where a key stands twice, all of them. */
function byElement(list: readonly unknown[], shape: Extract<Shape, { kind: 'list' }>): Map<PathElement, unknown[]> {
  const found = new Map<PathElement, unknown[]>()
  for (const item of list) {
    const element = listElement(shape, item)
    if (element instanceof Error) continue
    const items = found.get(element)
    if (items === undefined) found.set(element, [item])
    else items.push(item)
  }
  return found
}

/** A key that stands twice is one thing, which has no parts. */
function compareElementLists(walk: Walk, from: readonly unknown[], to: readonly unknown[], shape: Shape): void {
  if (from.length <= 1 && to.length <= 1) compareValues(walk, from[0], to[0], shape)
  else if (from.length >= 2 && to.length >= 2) {
    if (!sameJson(from, to)) insertPath(walk.modified, walk.path)
  } else if (from.length >= 2) {
    if (to.length > 0) compareValues(walk, undefined, to[0], shape)
    insertPath(walk.removed, walk.path)
  } else {
    if (from.length > 0) compareValues(walk, from[0], undefined, shape)
    insertPath(walk.added, walk.path)
  }
}

// Merges a configuration that someone applies into an object, and takes fields out of one (structured-merge-diff's Merge
// and RemoveItems). Nothing is changed in place.

import { isJsonObject, type JsonObject } from '#api/apply/json-value.ts'
import { type FieldSet } from '#api/apply/field-set.ts'
import { fieldElement, listElement, type PathElement } from '#api/apply/path-element.ts'
import { type Shape, shapeFor } from '#api/apply/shape.ts'

/** `config` wins wherever both have a value; what only `live` has stays. Undefined: there is no value. */
export function mergeConfig(live: unknown, config: unknown, declared: Shape): unknown {
  const shape = shapeFor(declared, config ?? live)
  if (shape.kind === 'list' && shape.how !== 'atomic') {
    const before = Array.isArray(live) ? live : []
    const after = Array.isArray(config) ? config : []
    if (before.length === 0 && after.length === 0) return config === undefined ? live : config
    return mergeLists(before, after, shape)
  }
  if ((shape.kind === 'struct' || shape.kind === 'map') && !shape.isAtomic) {
    const before = isJsonObject(live) ? live : {}
    const after = isJsonObject(config) ? config : {}
    if (Object.keys(before).length === 0 && Object.keys(after).length === 0) return config === undefined ? live : config
    return mergeObjects(before, after, shape)
  }
  return config === undefined ? live : config
}

type Container = Extract<Shape, { kind: 'struct' | 'map' }>
const innerShape = (shape: Container, key: string) => (shape.kind === 'struct' ? shape.field(key) : shape.value)

function mergeObjects(live: JsonObject, config: JsonObject, shape: Container): JsonObject | undefined {
  const entries: [string, unknown][] = []
  for (const key of new Set([...Object.keys(live), ...Object.keys(config)])) {
    const inner = innerShape(shape, key)
    if (inner === undefined) continue
    const merged = mergeConfig(live[key], config[key], inner)
    if (merged !== undefined) entries.push([key, merged])
  }
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

type List = Extract<Shape, { kind: 'list' }>

/**
 * Elements of the configuration in its order, those that only the object has where they stood among the others. Of
 * elements that stand in the object twice, the configuration's counts.
 */
function mergeLists(live: readonly unknown[], config: readonly unknown[], shape: List): unknown[] | undefined {
  const left = indexed(live, shape)
  const right = indexed(config, shape)
  const rightElements = right.elements
  const shared = rightElements.filter((element) => left.values.has(element))
  const done = new Set<PathElement>()
  const result: unknown[] = []
  const push = (before: unknown, after: unknown) => {
    const merged = mergeConfig(before, after, shape.element)
    if (merged !== undefined) result.push(merged)
  }
  let l = 0
  let r = 0
  let s = 0
  while (l < left.elements.length || r < rightElements.length) {
    const before = left.elements[l]
    const after = rightElements[r]
    if (before !== undefined && after !== undefined) {
      if (before === after) {
        done.add(before)
        push(left.values.get(before), right.values.get(before))
        l++
        r++
        s++
        continue
      }
      if (right.values.has(before) && s < shared.length && shared[s] !== before) {
        l++
        continue
      }
    }
    if (before !== undefined) {
      if (!right.values.has(before)) {
        push(live[left.places[l]!], undefined)
        l++
        continue
      }
      if (done.has(before)) l++
    }
    if (after !== undefined) {
      done.add(after)
      push(left.values.get(after), right.values.get(after))
      r++
      if (shared[s] === after) s++
    }
  }
  return result.length === 0 ? undefined : result
}

function indexed(list: readonly unknown[], shape: List) {
  const elements: PathElement[] = []
  const places: number[] = []
  const values = new Map<PathElement, unknown>()
  for (const [at, item] of list.entries()) {
    const element = listElement(shape, item)
    if (element instanceof Error) continue
    // Of two elements with one key, neither is the one to merge with.
    values.set(element, values.has(element) ? undefined : item)
    elements.push(element)
    places.push(at)
  }
  return { elements, places, values }
}

/** The value without the paths of `gone`. What loses all that was inside stays, empty. */
export function withoutPaths(value: unknown, gone: FieldSet, declared: Shape): unknown {
  if (gone.size === 0) return value
  const shape = shapeFor(declared, value)
  if (shape.kind === 'list') {
    if (!Array.isArray(value) || shape.how === 'atomic') return undefined
    return value.flatMap((item: unknown) => {
      const element = listElement(shape, item)
      const node = element instanceof Error ? undefined : gone.get(element)
      if (node === undefined) return [item]
      return node.member ? [] : [emptied(item, node.below, shape.element)]
    })
  }
  if (shape.kind !== 'struct' && shape.kind !== 'map') return value
  if (!isJsonObject(value) || shape.isAtomic) return undefined
  const entries: [string, unknown][] = []
  for (const [key, item] of Object.entries(value)) {
    const node = gone.get(fieldElement(key))
    const inner = innerShape(shape, key)
    if (node === undefined || inner === undefined) entries.push([key, item])
    else if (!node.member) entries.push([key, emptied(item, node.below, inner)])
  }
  return Object.fromEntries(entries)
}

function emptied(item: unknown, gone: FieldSet, shape: Shape): unknown {
  if (gone.size === 0) return item
  return withoutPaths(item, gone, shape) ?? (Array.isArray(item) ? [] : isJsonObject(item) ? {} : null)
}

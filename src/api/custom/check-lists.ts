// Lists that are sets or maps hold nothing twice (apiextensions-apiserver's schema/listtype).

import { isObject, itemsOf, memberOf, type Node } from '#api/custom/schema-node.ts'
import { duplicate, type FieldError, invalid } from '#api/field-error.ts'

export function checkLists(value: unknown, node: Node, path = ''): FieldError[] {
  if (Array.isArray(value)) {
    const items = itemsOf(node)
    const inner = items === undefined ? [] : value.flatMap((item, at) => checkLists(item, items, `${path}[${at}]`))
    return [...checkList(value, node, path), ...inner]
  }
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = memberOf(node, key)
    if (inner === undefined || inner === true) return []
    const isProperty = node.properties !== undefined && Object.hasOwn(node.properties, key)
    return checkLists(item, inner, isProperty ? (path === '' ? key : `${path}.${key}`) : `${path}[${key}]`)
  })
}

function checkList(list: readonly unknown[], node: Node, path: string): FieldError[] {
  switch (node['x-kubernetes-list-type']) {
    case 'set':
      return repeated(list).map((at) => duplicate(`${path}[${at}]`, list[at]))
    case 'map': {
      const wrong = list.findIndex((item) => item !== null && !isObject(item))
      if (wrong >= 0)
        return [invalid(`${path}[${wrong}]`, list[wrong], 'must be an object for an array of list-type map')]
      const keys = list.map((item) => keyOf(item, node['x-kubernetes-list-map-keys'] ?? []))
      return repeated(keys).map((at) => duplicate(`${path}[${at}]`, keys[at]))
    }
    default:
      return []
  }
}

function keyOf(item: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(item)) return {}
  return Object.fromEntries(names.filter((name) => Object.hasOwn(item, name)).map((name) => [name, item[name]]))
}

/** Where something stands for the second time. */
function repeated(list: readonly unknown[]): number[] {
  const seen = new Map<string, number>()
  const places: number[] = []
  for (const [at, item] of list.entries()) {
    const text = JSON.stringify(item, sortedKeys)
    const times = seen.get(text) ?? 0
    if (times === 1) places.push(at)
    seen.set(text, times + 1)
  }
  return places
}

const sortedKeys = (_: string, value: unknown): unknown =>
  isObject(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value

// Makes a value fit the schema of its custom resource: defaults set, nulls dropped where they mean nothing, and what is
// not specified left out (apiextensions-apiserver's schema/defaulting and schema/pruning). Nothing is changed in place.

import { formatPath } from '#api/decode-context.ts'
import { quote } from '#api/go-text.ts'
import {
  isEmbedded,
  isObject,
  itemsOf,
  type JsonObject,
  mapMembers,
  memberOf,
  type Node,
  preservesUnknown,
  propertyOf,
} from '#api/custom/schema-node.ts'

const metaFields = new Set(['apiVersion', 'kind', 'metadata'])

type Path = (string | number)[]

/** More than these are not worth reading, nor remembering. */
const mostProblems = 100

/** A resource (or an embedded one) without what the schema does not specify; `problems` gets what was left out. */
export function prune(value: unknown, node: Node, problems: string[], isRoot = true): unknown {
  return pruned(value, isRoot ? { ...node, 'x-kubernetes-embedded-resource': true } : node, [], problems)
}

function pruned(value: unknown, node: Node | true | undefined, path: Path, problems: string[]): unknown {
  if (node === true) return unspecified(value, path, problems)
  if (node !== undefined && preservesUnknown(node)) return preserved(value, node, path, problems)
  if (Array.isArray(value))
    return value.map((item, at) => within(path, at, () => pruned(item, node && itemsOf(node), path, problems)))
  if (!isObject(value)) return value
  return mapMembers(value, (item, key) => {
    if (node !== undefined && isEmbedded(node) && metaFields.has(key)) return item
    const inner = node && memberOf(node, key)
    if (inner !== undefined) return within(path, key, () => pruned(item, inner, path, problems))
    if (!metaFields.has(key) || path.length > 0) report(problems, [...path, key])
    return undefined
  })
}

/** Below `additionalProperties: true` nothing is specified: of objects nothing stays. */
const unspecified = (value: unknown, path: Path, problems: string[]) => pruned(value, undefined, path, problems)

/** Where unknown fields are kept, what is specified is still pruned inside. */
function preserved(value: unknown, node: Node, path: Path, problems: string[]): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(node)
    if (items === undefined) return value
    return value.map((item, at) => within(path, at, () => preserved(item, items, path, problems)))
  }
  if (!isObject(value)) return value
  return mapMembers(value, (item, key) => {
    if (isEmbedded(node) && metaFields.has(key)) return item
    const inner = memberOf(node, key)
    return inner === undefined ? item : within(path, key, () => pruned(item, inner, path, problems))
  })
}

function within<T>(path: Path, part: string | number, act: () => T): T {
  path.push(part)
  try {
    return act()
  } finally {
    path.pop()
  }
}

function report(problems: string[], path: Path): void {
  if (problems.length < mostProblems) problems.push(`unknown field ${quote(formatPath(path))}`)
}

/** The value with the defaults of the schema; null that is not allowed is as if it were not there. */
export function withDefaults(value: unknown, node: Node | true | undefined): unknown {
  if (node === undefined || node === true) return value
  if (Array.isArray(value)) {
    const items = itemsOf(node)
    return items === undefined
      ? value
      : value.map((item) => withDefaults(isEmptyNull(item, items) ? (items.default ?? item) : item, items))
  }
  if (!isObject(value)) return value
  const known = mapMembers(value, (item, key) => {
    const inner = memberOf(node, key)
    if (inner === undefined || inner === true) return item
    if (!isEmptyNull(item, inner)) return withDefaults(item, inner)
    // A null among the properties goes, and comes back as the default where there is one.
    return propertyOf(node, key) === undefined ? inner.default : undefined
  })
  return { ...known, ...defaultsMissing(known, node) }
}

const isEmptyNull = (value: unknown, node: Node) => value === null && node.nullable !== true

function defaultsMissing(object: JsonObject, node: Node): JsonObject {
  const missing = Object.entries(node.properties ?? {}).filter(
    ([name, { default: value }]) => value !== undefined && !Object.hasOwn(object, name),
  )
  return Object.fromEntries(missing.map(([name, property]) => [name, withDefaults(property.default, property)]))
}

// The schema of a custom resource as one tree: every node a JSON schema with Kubernetes' extensions. What is particular
// about the tree (items and additionalProperties are JSON to the API, since they may also be lists and booleans) is known
// here only.

import type { Typed } from '#api/schema/schema.ts'

export type Node = Typed<'apiextensions', 'JSONSchemaProps'>

export type JsonObject = { readonly [key: string]: unknown }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The schema of every element; undefined where there is none, or one for each place. */
export const itemsOf = ({ items }: Node): Node | undefined => (isObject(items) ? (items as Node) : undefined)

/** What may stand beside the properties: a schema, anything (true), or nothing more (undefined). */
export function additionalOf({ additionalProperties: more }: Node): Node | true | undefined {
  if (isObject(more)) return more as Node
  return more === true ? true : undefined
}

export function propertyOf({ properties }: Node, name: string): Node | undefined {
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
}

/** The schema of a member: its own, or that of all others. True: anything; undefined: it is not specified. */
export const memberOf = (node: Node, name: string): Node | true | undefined =>
  propertyOf(node, name) ?? additionalOf(node)

export const preservesUnknown = (node: Node): boolean => node['x-kubernetes-preserve-unknown-fields'] === true
export const isEmbedded = (node: Node): boolean => node['x-kubernetes-embedded-resource'] === true
export const isIntOrString = (node: Node): boolean => node['x-kubernetes-int-or-string'] === true

/** A key that is no name of a member of JavaScript's own; assignment would not make one of `__proto__`. */
export function mapMembers(object: JsonObject, map: (value: unknown, key: string) => unknown): JsonObject {
  const entries: [string, unknown][] = []
  for (const key of Object.keys(object)) {
    const value = map(object[key], key)
    if (value !== undefined) entries.push([key, value])
  }
  return Object.fromEntries(entries)
}

/** Every node of the tree, the root first. */
export function* nodesOf(node: Node): Iterable<Node> {
  yield node
  const items = itemsOf(node)
  const more = additionalOf(node)
  const lists = [...(node.allOf ?? []), ...(node.anyOf ?? []), ...(node.oneOf ?? [])]
  const single = [items, more === true ? undefined : more, node.not].filter((one) => one !== undefined)
  for (const inner of [...single, ...lists, ...Object.values(node.properties ?? {})]) yield* nodesOf(inner)
}

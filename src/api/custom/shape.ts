// A custom resource to server-side apply: what is owned as a whole, and how elements of lists are told apart.

import { anyShape, type ListKey, shapeOf, type Shape } from '#api/apply/shape.ts'
import {
  isEmbedded,
  isIntOrString,
  itemsOf,
  memberOf,
  type Node,
  preservesUnknown,
  propertyOf,
} from '#api/custom/schema-node.ts'

/** The shape of a resource: apiVersion, kind and metadata are those of every object. */
export const resourceShape = (node: Node): Shape => objectShape(node, true)

function shapeOfNode(node: Node): Shape {
  if (isIntOrString(node)) return { kind: 'scalar', accepts: 'any' }
  switch (node.type) {
    case 'string':
      return { kind: 'scalar', accepts: 'string' }
    case 'integer':
    case 'number':
      return { kind: 'scalar', accepts: 'number' }
    case 'boolean':
      return { kind: 'scalar', accepts: 'boolean' }
    case 'array':
      return listShape(node)
    case 'object':
      return objectShape(node, isEmbedded(node))
    default:
      return anyShape
  }
}

function listShape(node: Node): Shape {
  const items = itemsOf(node)
  const type = node['x-kubernetes-list-type']
  const keys = node['x-kubernetes-list-map-keys'] ?? []
  return {
    kind: 'list',
    how: type === 'set' || type === 'map' ? type : 'atomic',
    element: items === undefined ? anyShape : shapeOfNode(items),
    keys: keys.map((name): ListKey => {
      const value = items && propertyOf(items, name)?.default
      const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      return isPlain ? { name, default: value } : { name }
    }),
  }
}

const text: Shape = { kind: 'scalar', accepts: 'string' }

function objectShape(node: Node, isResource: boolean): Shape {
  const known = new Map<string, Shape | undefined>()
  const shapeFor = (name: string): Shape | undefined => {
    if (isResource && (name === 'apiVersion' || name === 'kind')) return text
    if (isResource && name === 'metadata') return shapeOf('meta.ObjectMeta')
    const inner = memberOf(node, name)
    if (inner === undefined) return preservesUnknown(node) ? anyShape : undefined
    return inner === true ? anyShape : shapeOfNode(inner)
  }
  return {
    kind: 'struct',
    isAtomic: node['x-kubernetes-map-type'] === 'atomic',
    field(name) {
      if (!known.has(name)) known.set(name, shapeFor(name))
      return known.get(name)
    },
  }
}

// Custom resources as OpenAPI definitions (apiextensions-apiserver's controller/openapi): their own schemas, with the
// metadata of every object. OpenAPI 2 has no words for alternatives and nulls: they are left out, as is what would make
// kubectl refuse fields that may be there.

import {
  additionalOf,
  isEmbedded,
  isIntOrString,
  itemsOf,
  type Node,
  preservesUnknown,
} from '#api/custom/schema-node.ts'
import {
  definitionName,
  type Flavour,
  type GroupVersionKind,
  type JsonObject,
  kindExtension,
  reference,
} from '#api/openapi/definitions.ts'

export type Custom = {
  readonly schema: Node | undefined
  readonly listKind: string
}

/** `io.rook.ceph.v1beta1.Pool` */
export const customName = ({ group, version, kind }: GroupVersionKind): string =>
  [...group.split('.').reverse(), version, kind].join('.')

export function customDefinitions(flavour: Flavour, gvk: GroupVersionKind, { schema, listKind }: Custom): JsonObject {
  const name = customName(gvk)
  return {
    [name]: { ...resourceSchema(flavour, schema), 'x-kubernetes-group-version-kind': [kindExtension(gvk)] },
    [customName({ ...gvk, kind: listKind })]: {
      type: 'object',
      required: ['items'],
      properties: {
        ...typeMeta,
        items: { type: 'array', items: reference(flavour, name) },
        metadata: reference(flavour, definitionName('meta.ListMeta')),
      },
      'x-kubernetes-group-version-kind': [kindExtension({ ...gvk, kind: listKind })],
    },
  }
}

const typeMeta: JsonObject = { apiVersion: { type: 'string' }, kind: { type: 'string' } }

function resourceSchema(flavour: Flavour, schema: Node | undefined): JsonObject {
  // Without properties clients take any field.
  if (schema === undefined || (flavour === 'v2' && preservesUnknown(schema))) return { type: 'object' }
  const published = publish(flavour, schema)
  return { ...published, properties: withMeta(flavour, published) }
}

function withMeta(flavour: Flavour, { properties }: JsonObject): JsonObject {
  return { ...(properties as JsonObject), ...typeMeta, metadata: reference(flavour, definitionName('meta.ObjectMeta')) }
}

function publish(flavour: Flavour, node: Node): JsonObject {
  const { items: _i, properties, additionalProperties: _a, allOf, anyOf, oneOf, not, ...rest } = node
  const isV2 = flavour === 'v2'
  const own = isV2 ? wordsOfV2(rest) : wordsOfV3(rest)
  const hasInside = !isV2 || !(node.nullable || preservesUnknown(node))
  const items = itemsOf(node)
  const more = additionalOf(node)
  const inside: JsonObject = {
    ...(items === undefined ? {} : { items: publish(flavour, items) }),
    ...(properties === undefined ? {} : { properties: publishAll(flavour, properties) }),
    ...(more === undefined ? {} : { additionalProperties: more === true ? true : publish(flavour, more) }),
  }
  const list = (name: string, nodes: readonly Node[] | undefined): JsonObject =>
    nodes === undefined || nodes.length === 0 ? {} : { [name]: nodes.map((one) => publish(flavour, one)) }
  const alternatives: JsonObject = isV2
    ? {}
    : {
        ...list('allOf', allOf),
        ...list('anyOf', anyOf),
        ...list('oneOf', oneOf),
        ...(not === undefined ? {} : { not: publish(flavour, not) }),
      }
  const whole: JsonObject = { ...own, ...(hasInside ? inside : {}), ...alternatives }
  if (!isEmbedded(node) || (isV2 && preservesUnknown(node))) return whole
  const required = [...new Set([...(node.required ?? []), 'apiVersion', 'kind'])]
  return { ...whole, required, properties: withMeta(flavour, whole) }
}

const publishAll = (flavour: Flavour, properties: Readonly<Record<string, Node>>): JsonObject =>
  Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, publish(flavour, property)]))

function wordsOfV3(node: Node): JsonObject {
  if (!isIntOrString(node)) return { ...node }
  const { type: _, ...rest } = node
  return { ...rest, anyOf: [{ type: 'integer' }, { type: 'string' }] }
}

function wordsOfV2(node: Node): JsonObject {
  const { nullable, default: _d, type, 'x-kubernetes-validations': _v, ...rest } = node
  if (isIntOrString(node)) return { ...rest, format: 'int-or-string' }
  return nullable || type === undefined ? rest : { ...rest, type }
}

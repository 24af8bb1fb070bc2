// The types of the schema as OpenAPI definitions, under the names that Kubernetes publishes: kubectl finds types by
// their group, version and kind, and patches and explains by the extensions of their fields. Descriptions are left out.

import type { Discovered } from '#api/discovery-document.ts'
import { customDefinitions, customName } from '#api/openapi/custom.ts'
import { type Field, type FieldType, type ObjectType, type Scalars, typeNamed } from '#api/schema/schema.ts'

export type JsonObject = { [key: string]: unknown }

/** The two releases of OpenAPI differ in where definitions stand and in what may stand beside a reference. */
export type Flavour = 'v2' | 'v3'

export type GroupVersionKind = { readonly group: string; readonly version: string; readonly kind: string }

/** `#/definitions/NAME` or `#/components/schemas/NAME` */
export function reference(flavour: Flavour, name: string): JsonObject {
  return { $ref: `${flavour === 'v2' ? '#/definitions/' : '#/components/schemas/'}${name}` }
}

const metaName = 'io.k8s.apimachinery.pkg.apis.meta.v1'

/** 'core.Service' is published as io.k8s.api.core.v1.Service. */
export function definitionName(typeName: string): string {
  const dot = typeName.indexOf('.')
  const group = typeName.slice(0, dot)
  const type = typeName.slice(dot + 1)
  switch (group) {
    case 'meta':
      return `${metaName}.${type}`
    case 'apiextensions':
      return `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.${type}`
    case 'apiregistration':
      return `io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.${type}`
    default:
      return `io.k8s.api.${group}.v1.${type}`
  }
}

export const patchName = `${metaName}.Patch`

/** The schema's type of a kind ('core.Service'); undefined where the schema has none. */
export function typeOfKind({ group, kind }: { readonly group: string; readonly kind: string }): string | undefined {
  const name = `${group === '' ? 'core' : group.split('.')[0]}.${kind}`
  return typeNamed(name) === undefined ? undefined : name
}

const scalarNames = {
  Time: `${metaName}.Time`,
  MicroTime: `${metaName}.MicroTime`,
  Fields: `${metaName}.FieldsV1`,
  Quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  IntOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  Raw: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  JSON: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON',
  Schema: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool',
}

const plainScalars: { readonly [S in Exclude<keyof Scalars, keyof typeof scalarNames>]: JsonObject } = {
  string: { type: 'string' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bool: { type: 'boolean' },
  bytes: { type: 'string', format: 'byte' },
}

/** Definitions of scalars that have a name of their own. */
function namedScalars(flavour: Flavour): Readonly<Record<string, JsonObject>> {
  const isV3 = flavour === 'v3'
  return {
    [scalarNames.Time]: { type: 'string', format: 'date-time' },
    [scalarNames.MicroTime]: { type: 'string', format: 'date-time' },
    [scalarNames.Fields]: { type: 'object' },
    [scalarNames.Quantity]: isV3 ? { oneOf: [{ type: 'string' }, { type: 'number' }] } : { type: 'string' },
    [scalarNames.IntOrString]: isV3
      ? { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] }
      : { type: 'string', format: 'int-or-string' },
    [scalarNames.Raw]: { type: 'object' },
    [scalarNames.JSON]: {},
    [scalarNames.Schema]: {},
  }
}

/** The definitions of what the resources take and answer, and of all that these are made of. */
export function definitionsOf(flavour: Flavour, resources: readonly Discovered[]): JsonObject {
  const roots = rootsOf(resources)
  const scalars = namedScalars(flavour)
  const definitions: JsonObject = { [patchName]: { type: 'object' } }
  const add = (typeName: string, kinds: readonly GroupVersionKind[]) => {
    const name = definitionName(typeName)
    if (definitions[name] !== undefined) return
    const type = typeNamed(typeName)!
    definitions[name] = { ...objectSchema(flavour, type), ...kindsExtension(kinds) }
    for (const field of type.fields.values()) addUsed(field.type)
  }
  const addUsed = (type: FieldType): void => {
    if (type.kind === 'list') addUsed(type.element)
    else if (type.kind === 'map') addUsed(type.value)
    else if (type.kind === 'object') add(type.type, [])
    else if (type.scalar in scalarNames) {
      const name = scalarNames[type.scalar as keyof typeof scalarNames]
      definitions[name] = scalars[name]
    }
  }
  for (const { typeName, kinds } of roots) add(typeName, kinds)
  for (const { typeName, kinds, hasList } of roots) {
    if (!hasList) continue
    definitions[`${definitionName(typeName)}List`] = listSchema(flavour, typeName, kinds)
    add('meta.ListMeta', [])
  }
  for (const resource of resources) {
    if (resource.custom === undefined) continue
    Object.assign(definitions, customDefinitions(flavour, resource, resource.custom))
    add('meta.ObjectMeta', [])
    add('meta.ListMeta', [])
  }
  return sorted(definitions)
}

/** The definition of what a resource, or one of its subresources, takes and answers. */
export function definitionOf(resource: Discovered, target: GroupVersionKind): string | undefined {
  if (resource.custom !== undefined && target.kind === resource.kind && target.group === resource.group)
    return customName(target)
  const typeName = typeOfKind(target)
  return typeName === undefined ? undefined : definitionName(typeName)
}

/** A type that requests take or answer, under the kinds by which clients know it. */
type Root = {
  readonly typeName: string
  readonly kinds: readonly GroupVersionKind[]
  readonly hasList: boolean
}

/** What the resources of a server take and answer. */
function rootsOf(resources: readonly Discovered[]): Root[] {
  const roots = new Map<string, { kinds: GroupVersionKind[]; hasList: boolean }>()
  const add = ({ group, version, kind }: GroupVersionKind, hasList: boolean) => {
    const typeName = typeOfKind({ group, kind })
    if (typeName === undefined) return
    const root = roots.get(typeName) ?? { kinds: [], hasList: false }
    root.hasList ||= hasList
    if (!root.kinds.some((known) => known.group === group && known.version === version))
      root.kinds.push({ group, version, kind })
    roots.set(typeName, root)
  }
  for (const resource of resources) {
    const isOwn = (target: GroupVersionKind) => resource.custom === undefined || target.kind !== resource.kind
    if (isOwn(resource)) add(resource, resource.verbs.includes('list'))
    for (const subresource of resource.subresources) if (isOwn(subresource)) add(subresource, false)
  }
  const options = { group: '', version: 'v1' }
  return [
    ...[...roots].map(([typeName, root]) => ({ typeName, ...root })),
    { typeName: 'meta.DeleteOptions', kinds: [{ ...options, kind: 'DeleteOptions' }], hasList: false },
    { typeName: 'meta.Status', kinds: [{ ...options, kind: 'Status' }], hasList: false },
  ]
}

const kindsExtension = (kinds: readonly GroupVersionKind[]): JsonObject =>
  kinds.length === 0 ? {} : { 'x-kubernetes-group-version-kind': kinds.map(kindExtension) }

export const kindExtension = ({ group, version, kind }: GroupVersionKind): GroupVersionKind => ({
  group,
  kind,
  version,
})

function listSchema(flavour: Flavour, typeName: string, kinds: readonly GroupVersionKind[]): JsonObject {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      items: { type: 'array', items: reference(flavour, definitionName(typeName)) },
      kind: { type: 'string' },
      metadata: referring(flavour, `${metaName}.ListMeta`, true),
    },
    ...kindsExtension(kinds.map((gvk) => ({ ...gvk, kind: `${gvk.kind}List` }))),
  }
}

function objectSchema(flavour: Flavour, type: ObjectType): JsonObject {
  const properties: JsonObject = {}
  const required: string[] = []
  for (const field of type.fields.values()) {
    properties[field.name] = fieldSchema(flavour, field)
    if (field.required) required.push(field.name)
  }
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: sorted(properties),
    ...(type.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  }
}

function fieldSchema(flavour: Flavour, field: Field): JsonObject {
  const { type, always, mergeKey, patchStrategy, listType, listKeys, mapType } = field
  const name = type.kind === 'object' ? definitionName(type.type) : namedScalar(type)
  const schema =
    name === undefined ? typeSchema(flavour, type) : referring(flavour, name, always && type.kind === 'object')
  const extensions: JsonObject = {
    default: flavour === 'v3' ? defaultOf(field) : undefined,
    'x-kubernetes-patch-merge-key': mergeKey,
    'x-kubernetes-patch-strategy': patchStrategy,
    'x-kubernetes-list-type': listType,
    'x-kubernetes-list-map-keys': listKeys,
    'x-kubernetes-map-type': mapType,
  }
  for (const [key, value] of Object.entries(extensions)) if (value !== undefined) schema[key] = value
  return schema
}

/** A property that is a reference: in v3, what stands beside a plain reference does not count. */
function referring(flavour: Flavour, name: string, isAlways: boolean): JsonObject {
  const target = reference(flavour, name)
  if (flavour === 'v2') return target
  return { allOf: [target], ...(isAlways ? { default: {} } : {}) }
}

function typeSchema(flavour: Flavour, type: FieldType): JsonObject {
  switch (type.kind) {
    case 'scalar': {
      const name = namedScalar(type)
      return name === undefined
        ? { ...plainScalars[type.scalar as keyof typeof plainScalars] }
        : reference(flavour, name)
    }
    case 'object':
      return reference(flavour, definitionName(type.type))
    case 'list':
      return { type: 'array', items: typeSchema(flavour, type.element) }
    case 'map':
      return { type: 'object', additionalProperties: typeSchema(flavour, type.value) }
  }
}

function namedScalar(type: FieldType): string | undefined {
  return type.kind === 'scalar' ? scalarNames[type.scalar as keyof typeof scalarNames] : undefined
}

function defaultOf({ type, always, default: text }: Field): unknown {
  if (type.kind !== 'scalar') return undefined
  if (type.scalar === 'string') return text ?? (always ? '' : undefined)
  return text === undefined ? undefined : (JSON.parse(text) as unknown)
}

function sorted(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
}

// Structural schemas: every value has one place that says what it is, and conditions may only narrow it down
// (apiextensions-apiserver's schema/validation.go and complete.go).

import {
  additionalOf,
  isEmbedded,
  isIntOrString,
  itemsOf,
  type Node,
  preservesUnknown,
} from '#api/custom/schema-node.ts'
import { type FieldError, forbidden, formatFieldError, invalid, required } from '#api/field-error.ts'
import { patternOf } from '#api/custom/format.ts'
import { equalJson } from '#lib/equal.ts'

type Level = 'root' | 'item' | 'field'

export function checkStructural(schema: Node, path: string): FieldError[] {
  const errors = [...checkNode(schema, 'root', path), ...checkComplete(schema, schema, path, path)]
  return errors.sort((a, b) => (formatFieldError(a) < formatFieldError(b) ? -1 : 1))
}

const emptyType = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }

function checkNode(node: Node, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  const items = itemsOf(node)
  const more = additionalOf(node)
  if (node.type === 'array' && items === undefined) errors.push(required(`${path}.items`, 'must be specified'))
  if (items !== undefined) errors.push(...checkNode(items, 'item', `${path}.items`))
  for (const [name, property] of Object.entries(node.properties ?? {}))
    errors.push(...checkNode(property, 'field', `${path}.properties[${name}]`))
  if (more !== undefined && level === 'root')
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used at the root'))
  if (more !== undefined && more !== true) errors.push(...checkNode(more, 'field', `${path}.additionalProperties`))
  return [
    ...errors,
    ...checkExtensions(node, path),
    ...checkConditions(node, path, true),
    ...checkType(node, level, path),
    ...checkMeta(node, level, path),
  ]
}

function checkExtensions(node: Node, path: string): FieldError[] {
  if (!isIntOrString(node)) return []
  const no = 'must be false if x-kubernetes-int-or-string is true'
  return [
    ...(preservesUnknown(node) ? [invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, no)] : []),
    ...(isEmbedded(node) ? [invalid(`${path}.x-kubernetes-embedded-resource`, true, no)] : []),
  ]
}

function checkType(node: Node, level: Level, path: string): FieldError[] {
  const { type = '' } = node
  const place = `${path}.type`
  const errors: FieldError[] = []
  if (isEmbedded(node) && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true'
    errors.push(type === '' ? required(place, why) : invalid(place, type, why))
  } else if (type === '' && !isIntOrString(node) && !preservesUnknown(node))
    errors.push(required(place, `must not be empty ${emptyType[level]}`))
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalid(place, type, 'must be object at the root'))
  return errors
}

function checkMeta(node: Node, level: Level, path: string): FieldError[] {
  const isResource = level === 'root' || isEmbedded(node)
  const errors: FieldError[] = []
  if (isEmbedded(node) && node.additionalProperties !== undefined)
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'))
  const { kind, apiVersion, metadata } = node.properties ?? {}
  for (const [name, property] of Object.entries({ kind, apiVersion }))
    if (isResource && property !== undefined && property.type !== 'string')
      errors.push(invalid(`${path}.properties[${name}].type`, property.type ?? '', 'must be string'))
  if (metadata !== undefined) errors.push(...checkMetadata(metadata, isResource, level, `${path}.properties[metadata]`))
  if (isEmbedded(node) && !preservesUnknown(node) && Object.keys(node.properties ?? {}).length === 0)
    errors.push(
      required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  return errors
}

/** At the root, metadata may only be narrowed down in its names. */
function checkMetadata(metadata: Node, isResource: boolean, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (isResource && metadata.type !== 'object')
    errors.push(invalid(`${path}.type`, metadata.type ?? '', 'must be object'))
  if (level !== 'root') return errors
  const { type: _t, default: _d, description: _s, properties = {}, ...rest } = metadata
  const others = Object.keys(properties).filter((name) => name !== 'name' && name !== 'generateName')
  const said = Object.keys(rest).filter((key) => !valueConditions.has(key))
  if (others.length > 0 || said.length > 0 || Object.keys(rest).length > said.length)
    errors.push(
      forbidden(
        path,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    )
  return errors
}

const valueConditions = new Set(['x-kubernetes-validations'])

const intOrString = [{ type: 'integer' }, { type: 'string' }]

/** `isOuter`: the two forms of int-or-string are allowed there. */
function checkConditions(node: Node, path: string, isOuter: boolean): FieldError[] {
  const { anyOf = [], allOf = [], oneOf = [], not, pattern } = node
  const errors: FieldError[] = []
  const isPlain = isOuter && equalJson(anyOf, intOrString)
  if (!isPlain) for (const [at, one] of anyOf.entries()) errors.push(...checkNested(one, `${path}.anyOf[${at}]`))
  for (const [at, one] of allOf.entries()) {
    const isFirst = isOuter && at === 0 && equalJson(one.anyOf, intOrString)
    errors.push(...checkNested(isFirst ? { ...one, anyOf: [] } : one, `${path}.allOf[${at}]`))
  }
  for (const [at, one] of oneOf.entries()) errors.push(...checkNested(one, `${path}.oneOf[${at}]`))
  if (not !== undefined) errors.push(...checkNested(not, `${path}.not`))
  const compiled = pattern ? patternOf(pattern) : undefined
  if (compiled instanceof Error)
    errors.push(
      invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${compiled.message}`),
    )
  return errors
}

/** A condition says nothing of what a value is. */
function checkNested(node: Node, path: string): FieldError[] {
  const errors = checkConditions(node, path, false)
  const items = itemsOf(node)
  if (items !== undefined) errors.push(...checkNested(items, `${path}.items`))
  for (const [name, property] of Object.entries(node.properties ?? {}))
    errors.push(...checkNested(property, `${path}.properties[${name}]`))
  const no = (isSaid: boolean, field: string, what: string) => {
    if (isSaid) errors.push(forbidden(`${path}.${field}`, `must be ${what} to be structural`))
  }
  no(Boolean(node.type), 'type', 'empty')
  no(node.additionalProperties !== undefined, 'additionalProperties', 'undefined')
  no(node.default !== undefined, 'default', 'undefined')
  no(Boolean(node.title), 'title', 'empty')
  no(Boolean(node.description), 'description', 'empty')
  no(node.nullable === true, 'nullable', 'false')
  no(preservesUnknown(node), 'x-kubernetes-preserve-unknown-fields', 'false')
  no(isEmbedded(node), 'x-kubernetes-embedded-resource', 'false')
  no(isIntOrString(node), 'x-kubernetes-int-or-string', 'false')
  no(Boolean(node['x-kubernetes-list-map-keys']?.length), 'x-kubernetes-list-map-keys', 'empty')
  no(node['x-kubernetes-list-type'] !== undefined, 'x-kubernetes-list-type', 'undefined')
  no(node['x-kubernetes-map-type'] !== undefined, 'x-kubernetes-map-type', 'undefined')
  no(Boolean(node['x-kubernetes-validations']?.length), 'x-kubernetes-validations', 'empty')
  if (node.properties !== undefined && Object.hasOwn(node.properties, 'metadata'))
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'))
  return errors
}

/** Whatever a condition speaks of must be specified outside of conditions too. */
function checkComplete(conditions: Node, node: Node, path: string, from: string): FieldError[] {
  const { not, allOf = [], anyOf = [], oneOf = [] } = conditions
  const lists = { allOf, anyOf, oneOf }
  return [
    ...(not === undefined ? [] : checkCovered(not, node, path, `${from}.not`)),
    ...Object.entries(lists).flatMap(([name, list]) =>
      list.flatMap((one, at) => checkCovered(one, node, path, `${from}.${name}[${at}]`)),
    ),
  ]
}

function checkCovered(condition: Node, node: Node | undefined, path: string, from: string): FieldError[] {
  if (node === undefined) return [required(path, `because it is defined in ${from}`)]
  const items = itemsOf(condition)
  return [
    ...checkComplete(condition, node, path, from),
    ...(items === undefined ? [] : checkCovered(items, itemsOf(node), `${path}.items`, `${from}.items`)),
    ...Object.entries(condition.properties ?? {}).flatMap(([name, property]) =>
      checkCovered(property, node.properties?.[name], `${path}.properties[${name}]`, `${from}.properties[${name}]`),
    ),
  ]
}

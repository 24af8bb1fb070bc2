// What the schema of a custom resource may say (apiextensions-apiserver's apis/apiextensions/validation). Rules in CEL
// are looked at as texts only: they are kept, and not run.

import { isEmbedded, isObject, itemsOf, type Node, propertyOf } from '#api/custom/schema-node.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'

type Place = {
  readonly path: string
  readonly isRoot: boolean
  /** why there may be no default here; undefined: there may */
  readonly noDefault?: string
  /** inside of apiVersion, kind or metadata */
  readonly inMeta?: boolean
}

export function checkSchema(schema: Node, path: string): FieldError[] {
  return checkNode(schema, { path, isRoot: true })
}

function checkNode(node: Node, place: Place): FieldError[] {
  const { path } = place
  return [
    ...checkSupported(node, place),
    ...checkMore(node, place),
    ...Object.entries(node.properties ?? {}).flatMap(([name, property]) =>
      checkNode(property, placeOfProperty(node, place, name)),
    ),
    ...(node.not === undefined ? [] : checkNode(node.not, { ...place, path: `${path}.not`, isRoot: false })),
    ...(['allOf', 'oneOf', 'anyOf'] as const).flatMap((name) =>
      (node[name] ?? []).flatMap((one, at) =>
        checkNode(one, { ...place, path: `${path}.${name}[${at}]`, isRoot: false }),
      ),
    ),
    ...checkItems(node, place),
    ...checkMapType(node, path),
    ...checkListType(node, path),
    ...(node['x-kubernetes-validations'] ?? []).flatMap((rule, at) =>
      checkRule(rule, `${path}.x-kubernetes-validations[${at}]`),
    ),
  ]
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

function checkSupported(node: Node, { path, noDefault, inMeta }: Place): FieldError[] {
  const errors: FieldError[] = []
  const { type } = node
  if (type && !types.includes(type)) errors.push(notSupported(`${path}.type`, type, types))
  if (node.default !== undefined && noDefault !== undefined)
    errors.push(forbidden(`${path}.default`, `must not be set ${noDefault}`))
  const no = (isSaid: boolean, field: string) => {
    if (isSaid) errors.push(forbidden(`${path}.${field}`, `${field} is not supported`))
  }
  no(Boolean(node.id), 'id')
  no(node.additionalItems !== undefined, 'additionalItems')
  no(Object.keys(node.patternProperties ?? {}).length > 0, 'patternProperties')
  no(Object.keys(node.definitions ?? {}).length > 0, 'definitions')
  no(node.dependencies !== undefined, 'dependencies')
  no(node.$ref !== undefined, '$ref')
  if (type === 'null')
    errors.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'))
  if (Array.isArray(node.items))
    errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'))
  if (inMeta && isEmbedded(node))
    errors.push(forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'))
  if (node.uniqueItems)
    errors.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  if (node['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'))
  return errors
}

function checkMore(node: Node, place: Place): FieldError[] {
  const more = node.additionalProperties
  if (more === undefined) return []
  const path = `${place.path}.additionalProperties`
  const isBoth = Object.keys(node.properties ?? {}).length > 0 && more !== true
  const errors = isBoth ? [forbidden(path, 'additionalProperties and properties are mutual exclusive')] : []
  if (!isObject(more)) return errors
  const noDefault = place.inMeta ? 'inside additionalProperties applying to object metadata' : place.noDefault
  return [
    ...errors,
    ...checkNode(more as Node, { ...place, path, isRoot: false, ...(noDefault === undefined ? {} : { noDefault }) }),
  ]
}

const metaFields = ['metadata', 'kind', 'apiVersion']

function placeOfProperty(node: Node, place: Place, name: string): Place {
  const inner = { ...place, path: `${place.path}.properties[${name}]`, isRoot: false }
  if (!(place.isRoot || isEmbedded(node)) || !metaFields.includes(name)) return inner
  return place.isRoot ? { ...inner, inMeta: true, noDefault: `in top-level ${name}` } : { ...inner, inMeta: true }
}

function checkItems(node: Node, place: Place): FieldError[] {
  const path = `${place.path}.items`
  const items = itemsOf(node)
  if (items !== undefined) return checkNode(items, { ...place, path, isRoot: false })
  if (!Array.isArray(node.items)) return []
  return node.items.flatMap((one, at) => checkNode(one as Node, { ...place, path: `${path}[${at}]`, isRoot: false }))
}

function checkMapType(node: Node, path: string): FieldError[] {
  const mapType = node['x-kubernetes-map-type']
  if (mapType === undefined) return []
  const errors = mustHaveType(node, 'object', 'x-kubernetes-map-type', path)
  if (mapType !== 'atomic' && mapType !== 'granular')
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']))
  return errors
}

function mustHaveType({ type }: Node, wanted: string, extension: string, path: string): FieldError[] {
  if (type === wanted) return []
  const why = `must be ${wanted} if ${extension} is specified`
  return [type ? invalid(`${path}.type`, type, why) : required(`${path}.type`, why)]
}

function checkListType(node: Node, path: string): FieldError[] {
  const listType = node['x-kubernetes-list-type']
  const keys = node['x-kubernetes-list-map-keys'] ?? []
  const place = `${path}.x-kubernetes-list-type`
  const errors: FieldError[] = []
  if (listType !== undefined && node.type !== 'array')
    errors.push(...mustHaveType(node, 'array', 'x-kubernetes-list-type', path))
  else if (listType === 'set') errors.push(...checkSetItems(node, path))
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    errors.push(notSupported(place, listType, ['atomic', 'set', 'map']))
  if (keys.length > 0 && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty'
    errors.push(listType === undefined ? required(place, why) : invalid(place, listType, why))
  }
  if (listType === 'map') errors.push(...checkMapItems(node, keys, path))
  const items = itemsOf(node)
  if ((listType === 'set' || listType === 'map') && items?.nullable)
    errors.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`))
  return errors
}

function checkSetItems(node: Node, path: string): FieldError[] {
  const items = itemsOf(node)
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = items?.['x-kubernetes-list-type']
  if (items?.type === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-list-type`, listType, why)]
  if (items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-map-type`, listType ?? null, why)]
  return []
}

function checkMapItems(node: Node, keys: readonly string[], path: string): FieldError[] {
  const items = itemsOf(node)
  const place = `${path}.x-kubernetes-list-map-keys`
  const errors: FieldError[] = []
  if (keys.length === 0) errors.push(required(place, 'must not be empty if x-kubernetes-list-type is map'))
  if (node.items === undefined)
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'))
  if (items === undefined) return errors
  if (items.type !== 'object')
    return [
      ...errors,
      invalid(`${path}.items.type`, items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map"),
    ]
  for (const [at, key] of keys.entries()) {
    const property = propertyOf(items, key)
    const at1 = `${path}.items.properties[${key}]`
    if (property === undefined) errors.push(invalid(place, keys, 'entries must all be names of item properties'))
    if (property?.type === 'array' || property?.type === 'object')
      errors.push(
        invalid(`${at1}.type`, items.type, "must be a scalar type if parent array's x-kubernetes-list-type is map"),
      )
    if (keys.indexOf(key) !== at) errors.push(invalid(place, keys, 'must not contain duplicate entries'))
    if (property === undefined) continue
    const isThere = items.required?.includes(key) || property.default !== undefined
    const what = 'this property is in x-kubernetes-list-map-keys, so it'
    if (!isThere) errors.push(required(`${at1}.default`, `${what} must have a default or be a required property`))
    if (property.nullable) errors.push(forbidden(`${at1}.nullable`, `${what} cannot be nullable`))
  }
  return errors
}

type Rule = NonNullable<Node['x-kubernetes-validations']>[number]

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']
const hasLines = (text: string) => /[\n\r]/.test(text)

function checkRule(rule: Rule, path: string): FieldError[] {
  const { rule: text = '', message = '', messageExpression = '', reason, fieldPath = '' } = rule
  const errors: FieldError[] = []
  const trimmed = message.trim()
  if (text.trim() === '') errors.push(required(`${path}.rule`, 'rule is not specified'))
  else if (message !== '' && trimmed === '')
    errors.push(invalid(`${path}.message`, message, 'must be non-empty if specified'))
  else if (hasLines(trimmed)) errors.push(invalid(`${path}.message`, message, 'must not contain line breaks'))
  else if (hasLines(text.trim()) && trimmed === '')
    errors.push(required(`${path}.message`, 'message must be specified if rule contains line breaks'))
  if (messageExpression !== '' && messageExpression.trim() === '')
    errors.push(required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'))
  if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(`${path}.reason`, reason, reasons))
  if (fieldPath !== '' && fieldPath.trim() === '')
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'))
  if (hasLines(fieldPath)) errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'))
  return errors
}

const selectableTypes = ['string', 'boolean', 'integer']
const mostSelectable = 8

export function checkSelectable(
  fields: readonly { readonly jsonPath?: string }[],
  schema: Node,
  path: string,
): FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [at, { jsonPath = '' }] of fields.entries()) {
    const place = `${path}[${at}].jsonPath`
    const names = jsonPath.split('.').slice(1)
    if (jsonPath === '') {
      errors.push(required(place))
      continue
    }
    const found = names.reduce<Node | undefined>((node, name) => node && propertyOf(node, name), schema)
    if (!jsonPath.startsWith('.') || found === undefined) {
      errors.push(invalid(place, jsonPath, 'is an invalid path: does not refer to a valid field'))
      continue
    }
    if (names[0] === 'metadata') errors.push(invalid(place, jsonPath, 'must not point to fields in metadata'))
    if (!selectableTypes.includes(found.type ?? ''))
      errors.push(
        invalid(
          place,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      )
    if (seen.has(jsonPath)) errors.push(duplicate(place, jsonPath))
    seen.add(jsonPath)
  }
  if (seen.size > mostSelectable)
    errors.push({ path, kind: 'TooMany', value: seen.size, detail: `must have at most ${mostSelectable} items` })
  return errors
}

// Definitions of custom resources: defaults, and what they may say (apiextensions-apiserver's apis/apiextensions).

import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '#api/custom-resource.ts'
import { isKnownFormat } from '#api/custom/format.ts'
import { type Node, nodesOf } from '#api/custom/schema-node.ts'
import { parseJsonPath } from '#api/custom/json-path.ts'
import { checkDefaults } from '#api/definition/check-defaults.ts'
import { checkSchema, checkSelectable } from '#api/definition/check-schema.ts'
import { checkStructural } from '#api/definition/structural.ts'
import { checkWord } from '#api/check-field.ts'
import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import { quote } from '#api/go-text.ts'
import { dns1035Label, dns1123Subdomain } from '#api/names.ts'
import { equalJson } from '#lib/equal.ts'

export function defaultDefinition(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec, status } = definition
  const { kind = '', singular, listKind } = spec?.names ?? {}
  const names = {
    ...spec?.names,
    ...(singular || kind === '' ? {} : { singular: kind.toLowerCase() }),
    ...(listKind || kind === '' ? {} : { listKind: `${kind}List` }),
  } as CustomResourceDefinitionNames
  return {
    ...definition,
    spec: { ...spec, names, conversion: spec?.conversion ?? { strategy: 'None' } },
    status: { ...status, storedVersions: storedVersionsOf(definition, false) },
  }
}

/** The versions in which there may be objects; `isNext`: with the version that new ones get. */
export function storedVersionsOf({ spec, status }: CustomResourceDefinition, isNext = true): readonly string[] {
  const known = status?.storedVersions ?? []
  const now = spec?.versions?.find(({ storage }) => storage)?.name
  if (now === undefined || known.includes(now) || (!isNext && known.length > 0)) return known
  return [...known, now]
}

export function checkDefinition(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  const { spec, metadata } = definition
  const errors: FieldError[] = []
  const wanted = `${spec?.names?.plural ?? ''}.${spec?.group ?? ''}`
  if (old === undefined && metadata?.name !== wanted)
    errors.push(invalid('metadata.name', metadata?.name ?? '', 'must be spec.names.plural+"."+spec.group'))
  errors.push(...checkSpec(spec), ...checkStored(definition), ...checkApproval(definition, old))
  if (spec?.preserveUnknownFields && !old?.spec?.preserveUnknownFields)
    errors.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    )
  return old === undefined ? errors : [...errors, ...checkChange(spec, old)]
}

function checkChange(spec: CustomResourceDefinitionSpec, old: CustomResourceDefinition): FieldError[] {
  const before = old.spec
  const isEstablished = old.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')
  const fixed: readonly [string, unknown, unknown][] = [
    ...(isEstablished
      ? ([
          ['scope', spec.scope, before?.scope],
          ['names.kind', spec.names?.kind, before?.names?.kind],
        ] as const)
      : []),
    ['group', spec.group, before?.group],
    ['names.plural', spec.names?.plural, before?.names?.plural],
  ].map(([field, now, then]) => [field as string, now, then])
  return fixed
    .filter(([, now, then]) => now !== then)
    .map(([field, now]) => invalid(`spec.${field}`, now ?? '', 'field is immutable'))
}

function checkSpec(spec: CustomResourceDefinitionSpec): FieldError[] {
  const { group = '', scope, versions = [], names, conversion } = spec
  const errors: FieldError[] = []
  if (group === '') errors.push(required('spec.group'))
  else if (dns1123Subdomain(group).length > 0)
    errors.push(invalid('spec.group', group, dns1123Subdomain(group).join(',')))
  else if (!group.includes('.')) errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'))
  errors.push(...checkWord('spec.scope', scope, ['Cluster', 'Namespaced']))
  for (const [at, version] of versions.entries()) errors.push(...checkVersion(version, `spec.versions[${at}]`))
  errors.push(...checkParts(versions))
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    errors.push(invalid('spec.versions', versions, 'must contain unique version names'))
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(invalid('spec.versions', versions, 'must have exactly one version marked as storage version'))
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!names?.[name]) errors.push(required(`spec.names.${name}`))
  errors.push(...checkNames(names, 'spec.names'), ...checkConversion(conversion))
  return errors
}

function checkNames(names: CustomResourceDefinitionNames | undefined, path: string): FieldError[] {
  const { plural, singular, kind = '', listKind = '', shortNames = [], categories = [] } = names ?? {}
  const label = (value: string | undefined, place: string) => {
    const wrong = value ? dns1035Label(value) : []
    return wrong.length === 0 ? [] : [invalid(`${path}.${place}`, value, wrong.join(','))]
  }
  const mixed = (value: string, place: string) => {
    const wrong = value === '' ? [] : dns1035Label(value.toLowerCase())
    const why = `may have mixed case, but should otherwise match: ${wrong.join(',')}`
    return wrong.length === 0 ? [] : [invalid(`${path}.${place}`, value, why)]
  }
  return [
    ...label(plural, 'plural'),
    ...label(singular, 'singular'),
    ...mixed(kind, 'kind'),
    ...mixed(listKind, 'listKind'),
    ...shortNames.flatMap((name, at) => label(name, `shortNames[${at}]`)),
    ...(kind !== '' && kind === listKind
      ? [invalid(`${path}.listKind`, listKind, 'kind and listKind may not be the same')]
      : []),
    ...categories.flatMap((name, at) => label(name, `categories[${at}]`)),
  ]
}

function checkConversion(conversion: CustomResourceDefinitionSpec['conversion']): FieldError[] {
  const path = 'spec.conversion'
  const errors = checkWord(`${path}.strategy`, conversion?.strategy, ['None', 'Webhook'])
  if (conversion?.strategy === 'Webhook' && conversion.webhook?.clientConfig === undefined)
    errors.push(required(`${path}.webhookClientConfig`, 'required when strategy is set to Webhook'))
  if (conversion?.strategy === 'None' && conversion.webhook !== undefined)
    errors.push(forbidden(`${path}.webhookClientConfig`, 'should not be set when strategy is not set to Webhook'))
  return errors
}

function checkVersion(version: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const { name = '', schema } = version
  const errors: FieldError[] = []
  if (schema?.openAPIV3Schema === undefined) errors.push(required(`${path}.schema.openAPIV3Schema`))
  if (dns1035Label(name).length > 0) errors.push(invalid(`${path}.name`, name, dns1035Label(name).join(',')))
  return [...errors, ...checkDeprecation(version, path)]
}

/** What all versions say alike is said once, as Kubernetes keeps it: of the definition as a whole. */
function checkParts(versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  const [first] = versions
  if (first === undefined) return []
  const each = (
    part: (version: CustomResourceDefinitionVersion) => unknown,
    whole: string,
    own: string,
    check: (version: CustomResourceDefinitionVersion, path: string) => FieldError[],
  ): FieldError[] =>
    versions.every((version) => equalJson(part(version), part(first)))
      ? check(first, `spec.${whole}`)
      : versions.flatMap((version, at) => check(version, `spec.versions[${at}].${own}`))
  const hasStatus = (version: CustomResourceDefinitionVersion) => version.subresources?.status !== undefined
  return [
    ...each(
      ({ schema }) => schema,
      'validation',
      'schema',
      (version, path) => {
        const node = version.schema?.openAPIV3Schema
        return node === undefined ? [] : checkNode(node, hasStatus(version), path)
      },
    ),
    ...each(
      ({ subresources }) => subresources,
      'subresources',
      'subresources',
      ({ subresources }, path) => checkScale(subresources?.scale, `${path}.scale`),
    ),
    ...each(
      ({ additionalPrinterColumns }) => additionalPrinterColumns,
      'additionalPrinterColumns',
      'additionalPrinterColumns',
      ({ additionalPrinterColumns = [] }, path) =>
        additionalPrinterColumns.flatMap((column, at) => checkColumn(column, `${path}[${at}]`)),
    ),
    ...each(
      ({ selectableFields }) => selectableFields,
      'selectableFields',
      'selectableFields',
      ({ selectableFields = [], schema }, path) => {
        const node = schema?.openAPIV3Schema
        return node === undefined ? [] : checkSelectable(selectableFields, node, path)
      },
    ),
  ]
}

function checkDeprecation({ deprecated, deprecationWarning: text }: CustomResourceDefinitionVersion, path: string) {
  if (text === undefined) return []
  const no = (why: string) => [invalid(`${path}.deprecationWarning`, text, why)]
  if (!deprecated) return no('can only be set for deprecated versions')
  if (text === '') return no('must not be an empty string')
  return text.length > 256 ? no('must be <= 256 characters long') : []
}

/** The words that may stand at the root of a schema from which the status is taken out. */
const rootWords = new Set(
  `description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems
   minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields
   x-kubernetes-validations`.split(/\s+/),
)

function checkNode(node: Node, hasStatus: boolean, path: string): FieldError[] {
  const place = `${path}.openAPIV3Schema`
  const errors: FieldError[] = []
  const other = Object.keys(node).filter((word) => !rootWords.has(word))
  if (hasStatus && node.type !== 'object' && node.type)
    errors.push(
      invalid(
        `${place}.type`,
        node.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    )
  else if (hasStatus && other.length > 0)
    errors.push(
      invalid(
        place,
        node,
        `only ${[...rootWords].join(' ')} fields are allowed at the root of the schema if the status subresource is enabled`,
      ),
    )
  if (node.nullable) errors.push(forbidden(`${place}.nullable`, 'nullable cannot be true at the root'))
  const structural = checkStructural(node, place)
  errors.push(...(structural.length > 0 ? structural : checkDefaults(node, place)))
  return [...errors, ...checkSchema(node, place)]
}

type Scale = NonNullable<NonNullable<CustomResourceDefinitionVersion['subresources']>['scale']>

function checkScale(scale: Scale | undefined, path: string): FieldError[] {
  if (scale === undefined) return []
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale
  const under = (value: string | undefined, name: string, roots: readonly string[], where: string): FieldError[] => {
    const place = `${path}.${name}`
    if (!value) return [required(place)]
    if (!value.startsWith('.')) return [invalid(place, value, 'must be a simple json path starting with .')]
    const isUnder = roots.some((root) => value.startsWith(root))
    return isUnder ? [] : [invalid(place, value, `should be a json path under ${where}`)]
  }
  return [
    ...under(specReplicasPath, 'specReplicasPath', ['.spec.'], '.spec'),
    ...under(statusReplicasPath, 'statusReplicasPath', ['.status.'], '.status'),
    ...(labelSelectorPath
      ? under(labelSelectorPath, 'labelSelectorPath', ['.spec.', '.status.'], 'either .spec or .status')
      : []),
  ]
}

type PrinterColumn = NonNullable<CustomResourceDefinitionVersion['additionalPrinterColumns']>[number]

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

function checkColumn({ name, type, format, jsonPath }: PrinterColumn, path: string): FieldError[] {
  const oneOf = (words: readonly string[]) => `must be one of ${words.join(',')}`
  const errors: FieldError[] = []
  if (!name) errors.push(required(`${path}.name`))
  if (!type) errors.push(required(`${path}.type`, oneOf(columnTypes)))
  else if (!columnTypes.includes(type)) errors.push(invalid(`${path}.type`, type, oneOf(columnTypes)))
  if (format && !columnFormats.includes(format)) errors.push(invalid(`${path}.format`, format, oneOf(columnFormats)))
  if (!jsonPath) errors.push(required(`${path}.JSONPath`))
  else if (!jsonPath.startsWith('.'))
    errors.push(invalid(`${path}.JSONPath`, jsonPath, 'must be a simple json path starting with .'))
  else if (parseJsonPath(jsonPath) === undefined)
    errors.push(invalid(`${path}.JSONPath`, jsonPath, `unrecognized column definition ${quote(jsonPath)}`))
  return errors
}

function checkStored({ spec, status }: CustomResourceDefinition): FieldError[] {
  const stored = status?.storedVersions ?? []
  const path = 'status.storedVersions'
  if (stored.length === 0) return [invalid(path, stored, 'must have at least one stored version')]
  const errors: FieldError[] = []
  for (const { name, storage } of spec?.versions ?? [])
    if (storage && !stored.includes(name)) errors.push(invalid(path, stored, `must have the storage version ${name}`))
  for (const [at, name] of stored.entries())
    if (!spec?.versions?.some((version) => version.name === name))
      errors.push(
        invalid(
          `${path}[${at}]`,
          name,
          `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
        ),
      )
  return errors
}

const approval = 'api-approved.kubernetes.io'
const approvalState = ({ metadata }: CustomResourceDefinition): 'missing' | 'approved' | 'invalid' => {
  const text = metadata?.annotations?.[approval]
  if (!text) return 'missing'
  return text.startsWith('unapproved') || /^https?:\/\/[^/\s]+/.test(text) ? 'approved' : 'invalid'
}

/** Groups of the community need a word of who approved them. */
function checkApproval(definition: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  const group = definition.spec?.group ?? ''
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return []
  const state = approvalState(definition)
  if (state === 'approved' || (old !== undefined && approvalState(old) === state)) return []
  const path = `metadata.annotations[${approval}]`
  const text = definition.metadata?.annotations?.[approval] ?? ''
  return state === 'missing'
    ? [
        required(
          path,
          'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
        ),
      ]
    : [
        invalid(
          path,
          text,
          `protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`,
        ),
      ]
}

/** What works otherwise than its writer may think. */
export function warningsOf(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): readonly string[] {
  const now = remarksOn(definition)
  const before = old === undefined ? [] : remarksOn(old)
  return now.filter((remark) => !before.includes(remark))
}

function remarksOn({ spec }: CustomResourceDefinition): string[] {
  const remarks: string[] = []
  for (const { name, schema } of spec?.versions ?? []) {
    const nodes = schema?.openAPIV3Schema === undefined ? [] : [...nodesOf(schema.openAPIV3Schema)]
    const rules = nodes.flatMap((node) => node['x-kubernetes-validations'] ?? []).length
    if (rules > 0)
      remarks.push(
        `spec.versions ${quote(name)}: ${rules} ${rules === 1 ? 'rule' : 'rules'} in x-kubernetes-validations (CEL) are kept, but not run`,
      )
    for (const { type, format } of nodes)
      if (format && !isKnownFormat(type, format)) remarks.push(`unrecognized format ${quote(format)}`)
  }
  if (spec?.conversion?.strategy === 'Webhook')
    remarks.push('spec.conversion: webhooks are not called: versions differ in their apiVersion only')
  return [...new Set(remarks)]
}

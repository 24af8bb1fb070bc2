// A definition of custom resources as kinds, one for each version that is served (apiextensions-apiserver's
// registry/customresource). Versions differ in their apiVersion and in what their schemas keep; all are stored as one.

import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#api/custom-resource.ts'
import { checkCustom, checkCustomStatus, customType } from '#api/custom/custom-type.ts'
import { findAll, type JsonPath, parseJsonPath, printed } from '#api/custom/json-path.ts'
import type { Node } from '#api/custom/schema-node.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import { parseTime } from '#api/time.ts'
import { qualifiedName } from '#api/names.ts'
import { quote } from '#api/go-text.ts'
import { ageOf } from '#lib/duration.ts'
import type { Cell, Column, Kind, Verb } from '#apiserver/kind.ts'

type PrinterColumn = NonNullable<CustomResourceDefinitionVersion['additionalPrinterColumns']>[number]
type Scale = NonNullable<NonNullable<CustomResourceDefinitionVersion['subresources']>['scale']>

export function customKinds(definition: CustomResourceDefinition): Kind[] {
  const { spec } = definition
  const stored = spec?.versions?.find(({ storage }) => storage)
  if (stored === undefined) return []
  return byPreference(spec.versions.filter(({ served }) => served)).map((version) =>
    customKind(definition, version, stored.name),
  )
}

/** Stable versions before beta before alpha, newer before older: the first is the one that clients take. */
function byPreference(versions: readonly CustomResourceDefinitionVersion[]): CustomResourceDefinitionVersion[] {
  const rank = ({ name }: CustomResourceDefinitionVersion): readonly number[] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name)
    if (match === null) return [0, 0, 0]
    const [, major, stage, minor = '0'] = match
    return [stage === undefined ? 3 : stage === 'beta' ? 2 : 1, Number(major), Number(minor)]
  }
  return versions.toSorted((a, b) => {
    const left = rank(a)
    const right = rank(b)
    const differs = left.findIndex((value, at) => value !== right[at])
    return differs < 0 ? (a.name < b.name ? -1 : 1) : right[differs]! - left[differs]!
  })
}

const noCreate: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

function customKind(
  { spec, status, metadata }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storedVersion: string,
): Kind {
  const {
    plural,
    singular = '',
    kind,
    listKind = `${kind}List`,
    shortNames,
    categories,
  } = status?.acceptedNames ?? spec.names
  const resource: Resource<ApiObject> = {
    group: spec.group,
    version: version.name,
    plural,
    kind,
    namespaced: spec.scope === 'Namespaced',
  }
  const schema: Node | undefined = version.schema?.openAPIV3Schema
  const type = customType(schema)
  const hasStatus = version.subresources?.status !== undefined
  const scale = version.subresources?.scale
  const columns = columnsOf(version.additionalPrinterColumns ?? [])
  const isGoing = metadata?.deletionTimestamp !== undefined
  return {
    resource,
    type,
    singular,
    listKind,
    custom: { schema, listKind },
    shortNames: shortNames ?? [],
    categories: categories ?? [],
    columns: columns.map(({ column }) => column),
    row: (object, nowMs) => columns.map(({ cell }) => cell(object, nowMs)),
    generation: hasStatus ? 'body' : 'body and status',
    unconditionalUpdate: false,
    anyFinalizer: true,
    validate: (object, old) => [...checkCustom(object, old, schema), ...checkScale(object, scale)],
    warnings: (object, old) => finalizerWarnings(object, old),
    ...(hasStatus && {
      prepareCreate: withoutStatus,
      status: {
        prepare: (object: ApiObject, old: ApiObject) => withMetadataOf(object, old),
        validate: (object: ApiObject, old: ApiObject) => checkCustomStatus(object, old, schema),
      },
    }),
    ...(scale !== undefined && {
      scale: {
        specReplicas: scale.specReplicasPath,
        statusReplicas: scale.statusReplicasPath,
        selector: scale.labelSelectorPath ?? '',
      },
    }),
    ...(isGoing && { verbs: noCreate }),
    ...(version.deprecated && {
      deprecated: version.deprecationWarning ?? `${spec.group}/${version.name} ${kind} is deprecated`,
    }),
    ...selectableOf(version),
    storedAs: storedAs(resource, storedVersion, (object) => {
      const decoded = type.decode(object)
      return decoded.kind === 'ok' ? (decoded.object as ApiObject) : object
    }),
  }
}

/** What was stored by another version, or before the schema changed, is read as this version has it now. */
function storedAs(
  resource: Resource<ApiObject>,
  version: string,
  fit: (object: ApiObject) => ApiObject,
): NonNullable<Kind['storedAs']> {
  const named = (object: ApiObject, name: string): ApiObject => ({ ...object, apiVersion: `${resource.group}/${name}` })
  return {
    resource: { ...resource, version },
    toStored: (object) => named(object, version),
    fromStored: (object) => fit({ ...named(object, resource.version), kind: resource.kind }),
  }
}

function withoutStatus(object: ApiObject): ApiObject {
  const { status: _, ...rest } = object as ApiObject & { readonly status?: unknown }
  return rest
}

/** A write of the status changes nothing else: of its metadata only the record of who wrote what is kept. */
function withMetadataOf(object: ApiObject, old: ApiObject): ApiObject {
  const { managedFields } = object.metadata ?? {}
  const { managedFields: _, ...metadata } = old.metadata ?? {}
  return { ...object, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } }
}

type ShownColumn = { readonly column: Column; cell(object: ApiObject, nowMs: number): Cell }

const standardFinalizers = ['orphan', 'foregroundDeletion', 'kubernetes']

function finalizerWarnings(object: ApiObject, old: ApiObject | undefined): string[] {
  const before = old?.metadata?.finalizers ?? []
  const added = (object.metadata?.finalizers ?? []).filter((name) => !before.includes(name)).sort()
  return added.flatMap((name) => {
    if (name.includes('/') || standardFinalizers.includes(name)) return []
    const path = name.includes('.') ? ' including a path (/)' : ''
    const wrong = qualifiedName(name).map((why) => `metadata.finalizers: ${quote(name)}: ${why}`)
    const prefer = `metadata.finalizers: ${quote(name)}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`
    return [...wrong, prefer]
  })
}

const ageColumns: readonly PrinterColumn[] = [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }]

function columnsOf(columns: readonly PrinterColumn[]): ShownColumn[] {
  const shown = columns.length === 0 ? ageColumns : columns
  return [
    { column: { name: 'Name', type: 'string', format: 'name' }, cell: (object) => object.metadata?.name ?? '' },
    ...shown.map(({ name, type, format = '', description = '', priority = 0, jsonPath }) => ({
      column: {
        name,
        type: type as Column['type'],
        format,
        priority,
        description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      },
      cell: cellOf(type, parseJsonPath(jsonPath)),
    })),
  ]
}

function cellOf(type: string, path: JsonPath | undefined): ShownColumn['cell'] {
  return (object, nowMs) => {
    const [value] = path === undefined ? [] : findAll(object, path)
    if (value === undefined || value === null) return null
    switch (type) {
      case 'string':
        return printed(value)
      case 'integer':
        return typeof value === 'number' ? Math.trunc(value) : null
      case 'number':
        return typeof value === 'number' ? value : null
      case 'boolean':
        return typeof value === 'boolean' ? value : null
      case 'date':
        return typeof value === 'string' ? dateCell(value, nowMs) : null
      default:
        return null
    }
  }
}

function dateCell(text: string, nowMs: number): string {
  const time = parseTime(text)
  return time.kind === 'ok' ? ageOf(nowMs - Date.parse(time.value)) : '<invalid>'
}

const mostReplicas = 2 ** 31 - 1

function checkScale(object: ApiObject, scale: Scale | undefined): FieldError[] {
  if (scale === undefined) return []
  return [scale.specReplicasPath, scale.statusReplicasPath].flatMap((path) => {
    const [value] = findAll(object, parseJsonPath(path) ?? [])
    if (value === undefined) return []
    if (typeof value !== 'number')
      return [
        invalid(path, 0, `${path} accessor error: ${printed(value)} is of the type ${typeof value}, expected int64`),
      ]
    if (value < 0) return [invalid(path, value, 'should be a non-negative integer')]
    return value > mostReplicas ? [invalid(path, value, `should be less than or equal to ${mostReplicas}`)] : []
  })
}

function selectableOf({ selectableFields = [] }: CustomResourceDefinitionVersion): Pick<Kind, 'fields'> {
  if (selectableFields.length === 0) return {}
  const paths = selectableFields.map(
    ({ jsonPath }) => [jsonPath.replace(/^\./, ''), parseJsonPath(jsonPath) ?? []] as const,
  )
  return {
    fields: (object) =>
      Object.fromEntries(
        paths.map(([name, path]) => {
          const [value] = findAll(object, path)
          return [name, value === undefined ? '' : printed(value)]
        }),
      ),
  }
}

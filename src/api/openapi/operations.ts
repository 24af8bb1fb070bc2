// The requests that a server takes, path by path, as both releases of OpenAPI list them.

import type { Discovered } from '#api/discovery-document.ts'
import { customName } from '#api/openapi/custom.ts'
import { definitionName, definitionOf, type GroupVersionKind, patchName } from '#api/openapi/definitions.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

export type Operation = {
  readonly method: Method
  /** the verb as Kubernetes names it: list, deletecollection ... */
  readonly action: string
  readonly id: string
  readonly kind: GroupVersionKind
  /** definition of the body, if it takes one */
  readonly body?: string
  /** definition of the answer; undefined where it has none of its own */
  readonly answer: string | undefined
  readonly parameters: readonly Parameter[]
  readonly isCustom: boolean
}

export type Parameter = {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly type: 'string' | 'integer' | 'boolean'
}

export type Path = {
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly operations: readonly Operation[]
}

const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]
/** Of custom resources nobody knows how to merge their lists. */
export const patchTypesOf = (isCustom: boolean): readonly string[] =>
  isCustom ? patchTypes.filter((type) => !type.includes('strategic')) : patchTypes

export const answerTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

const query = (name: string, type: Parameter['type'] = 'string'): Parameter => ({ name, in: 'query', type })
const inPath = (name: string): Parameter => ({ name, in: 'path', type: 'string' })
const writing = [query('dryRun'), query('fieldManager'), query('fieldValidation')]
const listing = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
]
const deleting = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
]

const verbs: Readonly<Record<string, { method: Method; prefix: string; parameters: readonly Parameter[] }>> = {
  list: { method: 'get', prefix: 'list', parameters: listing },
  create: { method: 'post', prefix: 'create', parameters: writing },
  deletecollection: { method: 'delete', prefix: 'deletecollection', parameters: [...deleting, ...listing] },
  get: { method: 'get', prefix: 'read', parameters: [] },
  update: { method: 'put', prefix: 'replace', parameters: writing },
  patch: { method: 'patch', prefix: 'patch', parameters: [...writing, query('force', 'boolean')] },
  delete: { method: 'delete', prefix: 'delete', parameters: deleting },
}
const ofCollection = ['list', 'create', 'deletecollection']

export function pathsOf(resources: readonly Discovered[]): Path[] {
  return resources.flatMap(pathsOfResource).sort((a, b) => (a.path < b.path ? -1 : 1))
}

function pathsOfResource(resource: Discovered): Path[] {
  const { group, version, plural, namespaced } = resource
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const collection = `${root}${namespaced ? '/namespaces/{namespace}' : ''}/${plural}`
  const scope = [...(namespaced ? [inPath('namespace')] : []), query('pretty')]
  const item = { path: `${collection}/{name}`, parameters: [inPath('name'), ...scope] }
  return [
    { path: collection, parameters: scope, operations: operationsOf(resource, resource, ofCollection) },
    { ...item, operations: operationsOf(resource, resource, ['get', 'update', 'patch', 'delete']) },
    ...(namespaced && resource.verbs.includes('list')
      ? [{ path: `${root}/${plural}`, parameters: [query('pretty')], operations: [listEverywhere(resource)] }]
      : []),
    ...resource.subresources.map((subresource) => ({
      path: `${item.path}/${subresource.name}`,
      parameters: item.parameters,
      operations: operationsOf(resource, subresource, ['create', 'get', 'update', 'patch'], subresource.name),
    })),
  ].filter(({ operations }) => operations.length > 0)
}

function operationsOf(
  resource: Discovered,
  target: GroupVersionKind & { readonly verbs: readonly string[] },
  wanted: readonly string[],
  subresource = '',
): Operation[] {
  return wanted
    .filter((action) => target.verbs.includes(action))
    .map((action) => {
      const { group, version, kind } = target
      const { method, prefix, parameters } = verbs[action]!
      const own = definitionOf(resource, target)
      const body = bodyOf(action, own)
      return {
        method,
        action: subresource !== '' && action === 'create' ? 'post' : action,
        id: operationId(prefix, resource, subresource),
        kind: { group, version, kind },
        ...(body === undefined ? {} : { body }),
        answer: answerOf(resource, action, own),
        parameters,
        isCustom: resource.custom !== undefined,
      }
    })
}

function answerOf(resource: Discovered, action: string, own: string | undefined): string | undefined {
  if (action === 'deletecollection') return undefined
  if (action !== 'list' || own === undefined) return own
  return resource.custom === undefined ? `${own}List` : customName({ ...resource, kind: resource.custom.listKind })
}

function listEverywhere(resource: Discovered): Operation {
  const [operation] = operationsOf(resource, resource, ['list'])
  return { ...operation!, id: `${operation!.id.replace('Namespaced', '')}ForAllNamespaces` }
}

function bodyOf(action: string, own: string | undefined): string | undefined {
  switch (action) {
    case 'create':
    case 'update':
      return own
    case 'patch':
      return patchName
    case 'delete':
    case 'deletecollection':
      return definitionName('meta.DeleteOptions')
    default:
      return undefined
  }
}

const capital = (text: string) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`

/** `readCoreV1NamespacedServiceStatus`; a collection has its own verb, so one name is never given twice. */
function operationId(prefix: string, { group, version, kind, namespaced }: Discovered, subresource: string): string {
  const groupName = group === '' ? 'core' : group.split('.')[0]!
  const collection = prefix === 'deletecollection' ? 'Collection' : ''
  const verb = collection === '' ? prefix : 'delete'
  const scope = namespaced ? 'Namespaced' : ''
  return `${verb}${capital(groupName)}${capital(version)}${collection}${scope}${kind}${capital(subresource)}`
}

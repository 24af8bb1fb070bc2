import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Discovered } from '#api/discovery-document.ts'
import { definitionName, type JsonObject, typeOfKind } from '#api/openapi/definitions.ts'
import { encodeGnostic } from '#api/openapi/gnostic.ts'
import { openApiV2Document } from '#api/openapi/v2.ts'
import { openApiV3Document, openApiV3Index } from '#api/openapi/v3.ts'
import { WireReader } from '#lib/protobuf-wire.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const part = ['get', 'patch', 'update']
const common = { version: 'v1', namespaced: true, shortNames: [], categories: [], verbs }
const resources: Discovered[] = [
  {
    ...common,
    group: '',
    plural: 'services',
    kind: 'Service',
    singular: 'service',
    subresources: [{ name: 'status', group: '', version: 'v1', kind: 'Service', verbs: part }],
  },
  { ...common, group: '', plural: 'nodes', kind: 'Node', singular: 'node', namespaced: false, subresources: [] },
  {
    ...common,
    group: 'apps',
    plural: 'deployments',
    kind: 'Deployment',
    singular: 'deployment',
    subresources: [{ name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: part }],
  },
]

function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((found, key) => (found as JsonObject | undefined)?.[key], value)
}

/** Every reference in a document, and whether it leads somewhere. */
function danglingReferences(document: unknown, whole = document): string[] {
  if (typeof document !== 'object' || document === null) return []
  return Object.entries(document).flatMap(([key, value]) => {
    if (key !== '$ref' || typeof value !== 'string') return danglingReferences(value, whole)
    return at(whole, ...value.slice(2).split('/')) === undefined ? [value] : []
  })
}

test('openapi: names of definitions and types of kinds', () => {
  assert.equal(definitionName('core.Service'), 'io.k8s.api.core.v1.Service')
  assert.equal(definitionName('meta.ObjectMeta'), 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
  assert.equal(typeOfKind({ group: 'rbac.authorization.k8s.io', kind: 'Role' }), 'rbac.Role')
  assert.equal(typeOfKind({ group: '', kind: 'Nothing' }), undefined)
})

test('openapi v3: the index', () =>
  assert.deepEqual(
    openApiV3Index(resources, (name) => String(name.length)),
    {
      paths: {
        'api/v1': { serverRelativeURL: '/openapi/v3/api/v1?hash=6' },
        'apis/apps/v1': { serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=12' },
      },
    },
  ))

test('openapi v3: what kubectl looks for', () => {
  const document = openApiV3Document(resources, 'api/v1', 'v1.36.2')
  assert.deepEqual(danglingReferences(document), [])
  const patch = at(document, 'paths', '/api/v1/namespaces/{namespace}/services/{name}', 'patch')
  assert.deepEqual(at(patch, 'x-kubernetes-group-version-kind'), { group: '', kind: 'Service', version: 'v1' })
  const parameters = at(patch, 'parameters') as { name: string; in: string }[]
  assert.ok(parameters.some(({ name, in: where }) => name === 'fieldValidation' && where === 'query'))
  assert.ok(at(patch, 'requestBody', 'content', 'application/strategic-merge-patch+json'))
  const schemas = at(document, 'components', 'schemas')
  assert.deepEqual(at(schemas, 'io.k8s.api.core.v1.Service'), {
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: {
        allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }],
        default: {},
      },
      spec: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.ServiceSpec' }], default: {} },
      status: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.ServiceStatus' }], default: {} },
    },
    'x-kubernetes-group-version-kind': [{ group: '', kind: 'Service', version: 'v1' }],
  })
  assert.deepEqual(at(schemas, 'io.k8s.api.core.v1.ServiceSpec', 'properties', 'ports'), {
    type: 'array',
    items: { $ref: '#/components/schemas/io.k8s.api.core.v1.ServicePort' },
    'x-kubernetes-patch-merge-key': 'port',
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
  })
  assert.deepEqual(at(schemas, 'io.k8s.api.core.v1.ServicePort', 'properties', 'protocol'), {
    type: 'string',
    default: 'TCP',
  })
})

test('openapi v3: every operation has an id of its own', () => {
  const ids = ['api/v1', 'apis/apps/v1'].flatMap((name) =>
    Object.values(at(openApiV3Document(resources, name, ''), 'paths') as JsonObject)
      .flatMap((path) => Object.values(path as JsonObject))
      .map((operation) => at(operation, 'operationId'))
      .filter((id) => id !== undefined),
  )
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.includes('readCoreV1NamespacedServiceStatus'))
  assert.ok(ids.includes('listCoreV1ServiceForAllNamespaces'))
})

test('openapi v3: a group that is not served has no document', () =>
  assert.equal(openApiV3Document(resources, 'apis/batch/v1', ''), undefined))

test('openapi v2: references lead somewhere, and the scale of a deployment has its own type', () => {
  const document = openApiV2Document(resources, 'v1.36.2')
  assert.deepEqual(danglingReferences(document), [])
  const scale = at(document, 'paths', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale', 'get')
  assert.deepEqual(at(scale, 'responses', '200', 'schema'), { $ref: '#/definitions/io.k8s.api.autoscaling.v1.Scale' })
})

test('openapi v2 as protobuf: definitions and paths with the extensions of their operations', () => {
  const document = openApiV2Document(resources, 'v1.36.2')
  const names: Record<number, string[]> = { 8: [], 9: [] }
  let extension = ''
  const reader = new WireReader(encodeGnostic(document))
  while (reader.next()) {
    if (reader.field !== 8 && reader.field !== 9) {
      reader.skip()
      continue
    }
    const found = names[reader.field]!
    for (const list = reader.message(); list.next();) {
      const entry = list.message()
      while (entry.next())
        if (entry.field === 1) found.push(entry.text())
        else
          for (const item = entry.message(); item.next();)
            if (item.field === 8) extension = textAt(item)
            else item.skip()
    }
  }
  assert.deepEqual(names[8], Object.keys(document['paths'] as JsonObject))
  assert.deepEqual(names[9], Object.keys(document['definitions'] as JsonObject))
  assert.match(extension, /^x-kubernetes-action/)
})

/** The name of the first extension of an operation. */
function textAt(reader: WireReader): string {
  for (const operation = reader.message(); operation.next();) {
    if (operation.field !== 13) {
      operation.skip()
      continue
    }
    const extension = operation.message()
    return extension.next() ? extension.text() : ''
  }
  return ''
}

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  aggregatedDiscovery,
  aggregatedVersion,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  type Discovered,
} from '#api/discovery-document.ts'

const resource = (group: string, plural: string, kind: string, more: Partial<Discovered> = {}): Discovered => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: true,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  verbs: ['list', 'get'],
  subresources: [],
  ...more,
})
const scale = { name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get'] }
const status = { name: 'status', group: 'apps', version: 'v1', kind: 'Deployment', verbs: ['get'] }
const resources = [
  resource('', 'nodes', 'Node', { namespaced: false, shortNames: ['no'] }),
  resource('apps', 'deployments', 'Deployment', { categories: ['all'], subresources: [scale, status] }),
]

test('the old documents', () => {
  assert.deepEqual(apiResourceList(resources, '', 'v1'), {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'v1',
    resources: [
      {
        name: 'nodes',
        singularName: 'node',
        namespaced: false,
        kind: 'Node',
        verbs: ['get', 'list'],
        shortNames: ['no'],
      },
    ],
  })
  const apps = apiResourceList(resources, 'apps', 'v1') as { resources: object[] }
  assert.deepEqual(apps.resources.slice(1), [
    {
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get'],
    },
    { name: 'deployments/status', singularName: '', namespaced: true, kind: 'Deployment', verbs: ['get'] },
  ])
  assert.deepEqual(
    (apiGroupList(resources) as { groups: { name: string }[] }).groups.map(({ name }) => name),
    ['apps'],
  )
  assert.equal(apiGroupDocument(resources, 'nope'), undefined)
  assert.equal(apiResourceList(resources, 'apps', 'v2'), undefined)
})

test('the aggregated document', () => {
  const { items } = aggregatedDiscovery(resources, false, 'v2') as { items: { metadata: object; versions: object[] }[] }
  assert.deepEqual(
    items.map(({ metadata }) => metadata),
    [{ name: 'apps' }],
  )
  assert.deepEqual(items[0]!.versions, [
    {
      version: 'v1',
      freshness: 'Current',
      resources: [
        {
          resource: 'deployments',
          responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
          scope: 'Namespaced',
          singularResource: 'deployment',
          verbs: ['get', 'list'],
          categories: ['all'],
          subresources: [
            {
              subresource: 'scale',
              responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
              verbs: ['get'],
            },
            {
              subresource: 'status',
              responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
              verbs: ['get'],
            },
          ],
        },
      ],
    },
  ])
})

test('who asks for which', () => {
  const v2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const table: readonly [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['application/json, */*', undefined],
    [`${v2},${v2.replace('v=v2', 'v=v2beta1')},application/json`, 'v2'],
    [`${v2.replace('v=v2', 'v=v2beta1')},application/json`, 'v2beta1'],
    [`application/json,${v2}`, undefined],
    ['application/json; v=v2; g=apidiscovery.k8s.io; as=APIGroupDiscoveryList', 'v2'],
  ]
  for (const [accept, want] of table) assert.equal(aggregatedVersion(accept), want, String(accept))
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Ingress, IngressClass } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { match } from '#ingress/match.ts'
import { type IngressPlan, plan } from '#ingress/plan.ts'
import type { Certificate } from '#ingress/state.ts'
import type { ReadUsers } from '#ingress/users.ts'

const stored = <T>(name: string, more: object, created = '2026-01-01T00:00:00Z'): T => {
  const { metadata = {}, ...rest } = more as { metadata?: object }
  const meta = { name, namespace: 'default', uid: name, resourceVersion: '1', creationTimestamp: created, ...metadata }
  return { metadata: meta, ...rest } as T
}
const ours = stored<Stored<IngressClass>>('fairway', { spec: { controller: 'fairway/ingress' } })
const ingress = (name: string, spec: object, more: { annotations?: object; created?: string } = {}) =>
  stored<Stored<Ingress>>(
    name,
    { metadata: { annotations: more.annotations }, spec: { ingressClassName: 'fairway', ...spec } },
    more.created,
  )
type Path = readonly [path: string, pathType: string, service: string]
const rule = (host: string | undefined, ...paths: readonly Path[]) => ({
  ...(host !== undefined && { host }),
  http: { paths: paths.map(([path, pathType, name]) => ({ path, pathType, backend: to(name) })) },
})
const to = (name: string, port: object = { number: 80 }) => ({ service: { name, port } })
const service = (name: string, ...ports: readonly object[]) =>
  stored<Stored<Service>>(name, { spec: { ports: ports.length > 0 ? ports : [{ name: 'http', port: 80 }] } })
const slice = (service: string, endpoints: object[], ports: object[] = [{ name: 'http', port: 8080 }]) =>
  stored<Stored<EndpointSlice>>(`${service}-x`, { addressType: 'IPv4', endpoints, ports })

function planOf(
  ingresses: readonly Stored<Ingress>[],
  more: {
    services?: readonly Stored<Service>[]
    slices?: Record<string, Stored<EndpointSlice>[]>
    secrets?: Record<string, Certificate>
    users?: Record<string, ReadUsers>
    classes?: readonly Stored<IngressClass>[]
  } = {},
): IngressPlan {
  const services = new Map(
    (more.services ?? 'abcdef'.split('').map((name) => service(name))).map((one) => [
      `default/${one.metadata.name}`,
      one,
    ]),
  )
  return plan({
    ingresses: () => ingresses,
    ingress: (key) => ingresses.find(({ metadata }) => `default/${metadata.name}` === key),
    classes: () => more.classes ?? [ours],
    service: (key) => services.get(key),
    slices: (key) => more.slices?.[key] ?? [],
    secret: (key) => more.secrets?.[key],
    users: (key) => more.users?.[key],
    addresses: () => [],
  })
}

/** The Service that a request goes to. */
const ask = ({ table }: IngressPlan, host: string, path: string) => match(table, host, path)?.backend?.split('/')[1]

// The table of examples in Kubernetes' documentation of path types, and the text of the API about hosts.
const pathCases: readonly (readonly [paths: readonly Path[], request: string, want: string | undefined])[] = [
  [[['/', 'Prefix', 'a']], '/any/thing', 'a'],
  [[['/foo', 'Exact', 'a']], '/foo', 'a'],
  [[['/foo', 'Exact', 'a']], '/bar', undefined],
  [[['/foo', 'Exact', 'a']], '/foo/', undefined],
  [[['/foo/', 'Exact', 'a']], '/foo', undefined],
  [[['/foo', 'Exact', 'a']], '/FOO', undefined],
  [[['/foo', 'Prefix', 'a']], '/foo', 'a'],
  [[['/foo', 'Prefix', 'a']], '/foo/', 'a'],
  [[['/foo/', 'Prefix', 'a']], '/foo', 'a'],
  [[['/foo/', 'Prefix', 'a']], '/foo/', 'a'],
  [[['/aaa/bb', 'Prefix', 'a']], '/aaa/bbb', undefined],
  [[['/aaa/bbb', 'Prefix', 'a']], '/aaa/bbb', 'a'],
  [[['/aaa/bbb/', 'Prefix', 'a']], '/aaa/bbb', 'a'],
  [[['/aaa/bbb', 'Prefix', 'a']], '/aaa/bbb/', 'a'],
  [[['/aaa/bbb', 'Prefix', 'a']], '/aaa/bbb/ccc', 'a'],
  [[['/aaa/bbb', 'Prefix', 'a']], '/aaa/bbbxyz', undefined],
  [
    [
      ['/', 'Prefix', 'a'],
      ['/aaa', 'Prefix', 'b'],
    ],
    '/aaa/ccc',
    'b',
  ],
  [
    [
      ['/', 'Prefix', 'a'],
      ['/aaa', 'Prefix', 'b'],
      ['/aaa/bbb', 'Prefix', 'c'],
    ],
    '/aaa/bbb',
    'c',
  ],
  [
    [
      ['/', 'Prefix', 'a'],
      ['/aaa', 'Prefix', 'b'],
    ],
    '/ccc',
    'a',
  ],
  [
    [
      ['/foo', 'Prefix', 'a'],
      ['/foo', 'Exact', 'b'],
    ],
    '/foo',
    'b',
  ],
  [
    [
      ['/foo', 'Prefix', 'a'],
      ['/foo', 'Exact', 'b'],
    ],
    '/foo/',
    'a',
  ],
  [
    [
      ['/foo', 'Prefix', 'a'],
      ['/foo/', 'Prefix', 'b'],
    ],
    '/foo',
    'b',
  ],
  [
    [
      ['/foo/', 'Prefix', 'a'],
      ['/foo', 'Prefix', 'b'],
    ],
    '/foo/x',
    'a',
  ],
  [[['', 'ImplementationSpecific', 'a']], '/x', 'a'],
  [
    [
      ['/foo', 'ImplementationSpecific', 'a'],
      ['/foo', 'Prefix', 'b'],
    ],
    '/foo',
    'b',
  ],
]
for (const [paths, request, want] of pathCases)
  test(`path: ${paths.map(([path, type, name]) => `${type} ${path} -> ${name}`).join(', ')}; ${request} -> ${want}`, () => {
    assert.equal(ask(planOf([ingress('one', { rules: [rule('x.test', ...paths)] })]), 'x.test', request), want)
  })

const hosts = planOf([
  ingress('one', {
    rules: [
      rule('foo.test', ['/', 'Prefix', 'a']),
      rule('*.foo.test', ['/', 'Prefix', 'b']),
      rule('www.foo.test', ['/only', 'Prefix', 'c']),
      rule(undefined, ['/all', 'Prefix', 'd']),
    ],
    defaultBackend: to('e'),
  }),
])
const hostCases: readonly (readonly [host: string, path: string, want: string])[] = [
  ['foo.test', '/', 'a'],
  ['FOO.test:8080', '/', 'a'],
  ['bar.foo.test', '/', 'b'],
  ['baz.bar.foo.test', '/', 'e'],
  ['www.foo.test', '/only/x', 'c'],
  ['www.foo.test', '/', 'b'],
  ['other.test', '/all', 'd'],
  ['other.test', '/', 'e'],
  ['', '/all', 'd'],
]
for (const [host, path, want] of hostCases)
  test(`host: ${host}${path} -> ${want}`, () => assert.equal(ask(hosts, host, path), want))

test('an Ingress is ours by its class, by the old annotation, or without either by the default class', () => {
  const byDefault = stored<Stored<IngressClass>>('fairway', {
    metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'fairway/ingress' },
  })
  const other = stored<Stored<IngressClass>>('other', { spec: { controller: 'example.com/other' } })
  const without = ingress('without', { ingressClassName: undefined, defaultBackend: to('a') })
  const old = ingress(
    'old',
    { ingressClassName: undefined, defaultBackend: to('a') },
    { annotations: { 'kubernetes.io/ingress.class': 'fairway' } },
  )
  const foreign = ingress('foreign', { ingressClassName: 'other', defaultBackend: to('a') })
  const served = (classes: readonly Stored<IngressClass>[]) => [...planOf([without, old, foreign], { classes }).served]
  assert.deepEqual(served([ours, other]), ['default/old'])
  assert.deepEqual(served([byDefault, other]).sort(), ['default/old', 'default/without'])
  assert.deepEqual(served([]), [])
})

test('of two Ingresses with the same host and path the older one has it, and the other is told', () => {
  const young = ingress(
    'a-young',
    { rules: [rule('x.test', ['/', 'Prefix', 'a'])] },
    { created: '2026-01-02T00:00:00Z' },
  )
  const old = ingress('b-old', { rules: [rule('x.test', ['/', 'Prefix', 'b'])] })
  const planned = planOf([young, old])
  assert.equal(ask(planned, 'x.test', '/'), 'b')
  assert.deepEqual(
    planned.problems.map(({ ingress, reason, message }) => [ingress.metadata.name, reason, message]),
    [['a-young', 'Conflict', 'x.test/ is not used: default/b-old is older and has it']],
  )
})

test('what cannot be served is told, and everything else is served', () => {
  const planned = planOf([
    ingress(
      'bad',
      {
        rules: [
          { host: 'a.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend: to('gone') }] } },
          { host: 'b.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend: to('a', { name: 'nope' }) }] } },
          {
            host: 'c.test',
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { resource: { kind: 'Bucket', name: 'x' } } }] },
          },
          rule('d.test', ['/', 'Prefix', 'a'], ['/x y', 'Exact', 'a']),
        ],
        tls: [{ hosts: ['d.test'], secretName: 'none' }],
      },
      { annotations: { 'ingress.fairway/read-timeout': 'soon', 'nginx.ingress.kubernetes.io/auth-url': '/' } },
    ),
  ])
  assert.equal(ask(planned, 'd.test', '/'), 'a')
  assert.equal(match(planned.table, 'a.test', '/')?.backend, undefined)
  assert.deepEqual(planned.problems.map(({ reason }) => reason).sort(), [
    'BadAnnotation',
    'BadAnnotation',
    'NoCertificate',
    'NoService',
    'NoServicePort',
    'NotSupported',
    'NotSupported',
  ])
})

test('certificates that do not fit, and classes that are not there, are told', () => {
  const tls = (host: string) => ({
    rules: [rule(host, ['/', 'Prefix', 'a'])],
    tls: [{ hosts: [host], secretName: 'cert' }],
  })
  const planned = planOf(
    [
      ingress('fits', tls('x.w.test')),
      ingress('other', tls('x.y.w.test')),
      ingress('lost', { ingressClassName: 'nobody', rules: [rule('n.test', ['/', 'Prefix', 'a'])] }),
    ],
    { secrets: { 'default/cert': { kind: 'pem', pem: '1', names: ['*.w.test', 'w.test'] } } },
  )
  assert.deepEqual(
    planned.problems.map(({ ingress, reason, message }) => [ingress.metadata.name, reason, message]),
    [
      [
        'other',
        'BadCertificate',
        'Secret default/cert has a certificate that is not for x.y.w.test: it names *.w.test, w.test',
      ],
      ['lost', 'NoIngressClass', 'IngressClass nobody does not exist: nobody serves this Ingress'],
    ],
  )
  assert.deepEqual(planned.served, ['default/fits', 'default/other'])
})

test('endpoints: ready ones; ending ones that serve where none is ready; the port by its name', () => {
  const at = (address: string, conditions: object) => ({ addresses: [address], conditions })
  const ready = at('10.0.0.1', { ready: true })
  const ending = at('10.0.0.2', { ready: false, serving: true, terminating: true })
  const dead = at('10.0.0.3', { ready: false, serving: false })
  const endpoints = (list: object[]) =>
    [
      ...planOf([ingress('one', { defaultBackend: to('a', { name: 'http' }) })], {
        slices: {
          'default/a': [
            slice('a', list, [
              { name: 'metrics', port: 9000 },
              { name: 'http', port: 8080 },
            ]),
          ],
        },
      }).table.backends.values(),
    ].flatMap(({ endpoints }) => endpoints.map(({ address, port }) => `${address}:${port}`))
  assert.deepEqual(endpoints([ready, ending, dead]), ['10.0.0.1:8080'])
  assert.deepEqual(endpoints([ending, dead]), ['10.0.0.2:8080'])
  assert.deepEqual(endpoints([dead]), [])
})

test('certificates: by host, the older Ingress first; without hosts those of the rules, or the default', () => {
  const pem = (text: string): Certificate => ({ kind: 'pem', pem: text })
  const planned = planOf(
    [
      ingress('a', { rules: [rule('x.test', ['/', 'Prefix', 'a'])], tls: [{ secretName: 'one' }] }),
      ingress('b', { defaultBackend: to('a'), tls: [{ hosts: ['X.test', 'y.test'], secretName: 'two' }] }),
      ingress('c', { defaultBackend: to('a'), tls: [{ secretName: 'three' }] }),
      ingress('d', { defaultBackend: to('a'), tls: [{ hosts: ['z.test'] }] }),
    ],
    { secrets: { 'default/one': pem('1'), 'default/two': pem('2'), 'default/three': pem('3') } },
  )
  assert.deepEqual(
    [...planned.table.certificates].map(([key, { hosts }]) => [key, hosts]),
    [
      ['default/one', ['x.test']],
      ['default/two', ['y.test']],
    ],
  )
  assert.equal(planned.table.defaultCertificate, '3')
})

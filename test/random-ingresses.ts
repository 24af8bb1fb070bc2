// Ingresses and what they name, edited at random.
import type { Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Ingress, IngressClass } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import type { Certificate, IngressState, ObjectChange } from '#ingress/state.ts'
import { IngressTable } from '#ingress/table.ts'
import type { Random } from '#test/random.ts'

/** Objects that can be changed, and the table that is told of it. */
export class IngressWorld {
  readonly ingresses = new Map<string, Stored<Ingress>>()
  readonly classes = new Map<string, Stored<IngressClass>>()
  readonly services = new Map<string, Stored<Service>>()
  readonly slices = new Map<string, readonly Stored<EndpointSlice>[]>()
  readonly secrets = new Map<string, Certificate>()
  readonly addresses = new Map<string, readonly string[]>()
  readonly state: IngressState = {
    ingresses: () => this.ingresses.values(),
    ingress: (key) => this.ingresses.get(key),
    classes: () => this.classes.values(),
    service: (key) => this.services.get(key),
    slices: (key) => this.slices.get(key) ?? [],
    secret: (key) => this.secrets.get(key),
    users: () => undefined,
    addresses: (name) => this.addresses.get(name) ?? [],
  }
  readonly table: IngressTable

  /** `more`: what is read otherwise. */
  constructor(more: Partial<IngressState> = {}) {
    this.table = new IngressTable({ ...this.state, ...more })
  }
}

let created = 0
export const meta = (name: string, more: object = {}) => ({
  name,
  namespace: 'default',
  uid: `${name}-${created}`,
  resourceVersion: String(++created),
  creationTimestamp: `2026-01-01T00:00:0${created % 5}Z`,
  ...more,
})

const names = ['a', 'b', 'c', 'd']
const annotations = [
  {},
  {},
  {},
  { 'ingress.fairway/protocol': 'h2c' },
  { 'ingress.fairway/ssl-redirect': 'true' },
  { 'ingress.fairway/rewrite-target': '/$2' },
  { 'ingress.fairway/app-root': '/start' },
  { 'ingress.fairway/canary': 'true', 'ingress.fairway/canary-weight': '10' },
  { 'ingress.fairway/canary': 'true', 'ingress.fairway/canary-by-header': 'X-Canary' },
]

function randomIngress(random: Random, name: string): Stored<Ingress> {
  const backend = () =>
    random.pick([
      { service: { name: random.pick(names), port: { number: 80 } } },
      { service: { name: random.pick(names), port: { name: 'web' } } },
      { resource: { kind: 'Bucket', name: 'x' } },
    ])
  const rules = Array.from({ length: random.integer(0, 3) }, () => ({
    ...random.pick([{ host: 'x.test' }, { host: '*.test' }, {}]),
    http: {
      paths: Array.from({ length: random.integer(1, 3) }, () => ({
        path: random.pick(['/', '/', '/a', '/a/', '/a/b', '/a(/|$)(.*)']),
        pathType: random.pick(['Exact', 'Prefix', 'ImplementationSpecific']),
        backend: backend(),
      })),
    },
  }))
  const tls = { hosts: random.pick([[], ['x.test'], ['x.test', 'y.test']]), secretName: random.pick(['one', 'two']) }
  return {
    metadata: meta(name, { annotations: random.pick(annotations) }),
    spec: {
      ...random.pick([{ ingressClassName: 'ours' }, { ingressClassName: 'theirs' }, {}]),
      rules,
      ...(random.pick([true, false]) && { defaultBackend: backend() }),
      ...(random.pick([true, false]) && { tls: [tls] }),
    },
  } as Stored<Ingress>
}

function change<T>(random: Random, map: Map<string, T>, key: string, make: () => T): void {
  if (random.integer(0, 3) === 0) map.delete(key)
  else map.set(key, make())
}

/** Changes one object. Answers what a watch tells of it. */
export function edit(random: Random, world: IngressWorld): ObjectChange {
  const name = random.pick(names)
  const key = `default/${name}`
  switch (
    random.pick(['ingress', 'ingress', 'ingress', 'class', 'service', 'slices', 'secret', 'addresses'] as const)
  ) {
    case 'ingress':
      change(random, world.ingresses, key, () => randomIngress(random, name))
      return { kind: 'ingress', key }
    case 'class': {
      const annotations = { 'ingressclass.kubernetes.io/is-default-class': random.pick(['true', 'false']) }
      change(random, world.classes, 'ours', () => ({
        metadata: meta('ours', { annotations }),
        spec: { controller: 'fairway/ingress' },
      }))
      return { kind: 'all' }
    }
    case 'service': {
      const ports = [{ port: 80, name: random.pick(['web', 'other']) }]
      const spec = random.pick([{ ports }, { type: 'ExternalName', externalName: 'out.test', ports }])
      change(random, world.services, key, () => ({ metadata: meta(name), spec }) as Stored<Service>)
      return { kind: 'service', key }
    }
    case 'slices': {
      const endpoints = [{ addresses: [`10.0.0.${random.integer(1, 9)}`], conditions: { ready: true } }]
      const ports = [{ name: random.pick(['web', 'other']), port: 8080 }]
      change(random, world.slices, key, () => [{ metadata: meta(name), addressType: 'IPv4', endpoints, ports }])
      return { kind: 'slices', key }
    }
    case 'secret': {
      const secret = `default/${random.pick(['one', 'two'])}`
      change(random, world.secrets, secret, () =>
        random.pick([
          { kind: 'pem', pem: String(created++) },
          { kind: 'wrong', message: 'is wrong' },
        ]),
      )
      return { kind: 'secret', key: secret }
    }
    case 'addresses':
      change(random, world.addresses, 'out.test', () => [`192.0.2.${random.integer(1, 9)}`])
      return { kind: 'addresses', key: 'out.test' }
  }
}

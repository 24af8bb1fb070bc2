import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Container } from '#api/core.ts'
import { planEnvironment } from '#node/pod/env.ts'

const pod = {
  metadata: {
    name: 'web-0',
    namespace: 'shop',
    uid: 'u1',
    labels: { app: 'web', 'a/b': 'x"y' },
    annotations: { note: 'hello' },
  },
  spec: { containers: [], nodeName: 'node-1', serviceAccountName: 'default' },
}
const base64 = (text: string) => new TextEncoder().encode(text).toBase64()

function environment(container: Omit<Container, 'name'>, services: Record<string, string> = {}) {
  const planned = planEnvironment({
    pod,
    container: { name: 'c', ...container },
    services: new Map(Object.entries(services)),
    facts: { podIps: ['10.244.0.5', 'fd00::5'], hostIps: ['10.168.0.2'] },
    allocatable: { cpu: '4', memory: '8Gi' },
    lookup: {
      configMap: (name) => (name === 'settings' ? { data: { COLOUR: 'blue', SIZE: '3' } } : undefined),
      secret: (name) => (name === 'password' ? { data: { PASSWORD: base64('geheim') } } : undefined),
    },
  })
  return planned.kind === 'env' ? Object.fromEntries(planned.variables) : planned.message
}

const field = (fieldPath: string) => ({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] })
const resource = (resource: string, divisor?: string, limits?: Record<string, string>) => ({
  ...(limits && { resources: { limits, requests: { cpu: '250m' } } }),
  env: [{ name: 'X', valueFrom: { resourceFieldRef: { resource, ...(divisor && { divisor }) } } }],
})

type Row = readonly [name: string, container: Omit<Container, 'name'>, want: string | Record<string, string>]
const rows: readonly Row[] = [
  [
    'values refer to earlier ones and to Services, not to later ones',
    {
      env: [
        { name: 'A', value: 'a' },
        { name: 'B', value: '$(A)-$(C)-$(SVC)' },
        { name: 'C', value: 'c' },
      ],
    },
    { A: 'a', B: 'a-$(C)-10.96.0.1', C: 'c', SVC: '10.96.0.1' },
  ],
  ['a variable replaces one of a Service', { env: [{ name: 'SVC', value: 'mine' }] }, { SVC: 'mine' }],
  [
    'envFrom, prefixed, and overridden by env',
    {
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'DB_', secretRef: { name: 'password' } }],
      env: [{ name: 'SIZE', value: '4' }],
    },
    { COLOUR: 'blue', SIZE: '4', DB_PASSWORD: 'geheim', SVC: '10.96.0.1' },
  ],
  [
    'an optional source that is missing',
    {
      envFrom: [{ configMapRef: { name: 'none', optional: true } }],
      env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } }],
    },
    { SVC: '10.96.0.1' },
  ],
  ['a ConfigMap that is missing', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
  [
    'a key that is missing',
    { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'no' } } }] },
    "couldn't find key no in ConfigMap shop/settings",
  ],
  [
    'a secret that is missing',
    { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'no', key: 'k' } } }] },
    'secret "no" not found',
  ],
  ['the name', field('metadata.name'), { X: 'web-0', SVC: '10.96.0.1' }],
  ['a label', field("metadata.labels['app']"), { X: 'web', SVC: '10.96.0.1' }],
  ['labels', field('metadata.labels'), { X: 'a/b="x\\"y"\napp="web"', SVC: '10.96.0.1' }],
  ['the addresses', field('status.podIPs'), { X: '10.244.0.5,fd00::5', SVC: '10.96.0.1' }],
  ['the host address', field('status.hostIP'), { X: '10.168.0.2', SVC: '10.96.0.1' }],
  ['no such field', field('spec.containers'), 'unsupported fieldPath: spec.containers'],
  ['cpu is rounded up', resource('limits.cpu', '1', { cpu: '1500m' }), { X: '2', SVC: '10.96.0.1' }],
  ['cpu in thousandths', resource('limits.cpu', '1m', { cpu: '1500m' }), { X: '1500', SVC: '10.96.0.1' }],
  ['memory in Mi', resource('limits.memory', '1Mi', { memory: '1Gi' }), { X: '1024', SVC: '10.96.0.1' }],
  ['no limit is what the node has', resource('limits.cpu'), { X: '4', SVC: '10.96.0.1' }],
  ['requests', resource('requests.cpu', '1m', {}), { X: '250', SVC: '10.96.0.1' }],
]
for (const [name, container, want] of rows)
  test(`environment: ${name}`, () => assert.deepEqual(environment(container, { SVC: '10.96.0.1' }), want))

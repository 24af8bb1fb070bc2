import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Volume } from '#api/core.ts'
import { makePod } from '#node/testing/fixtures.ts'
import { planPayload } from '#node/volumes/payload.ts'
import { hostPathProblem, planClaimed, planVolume } from '#node/volumes/volume-kind.ts'

const base64 = (text: string) => new TextEncoder().encode(text).toBase64()

/** path -> [text, mode in octal], or the text of what is missing. */
function files(volume: Omit<Volume, 'name'>): Record<string, readonly [string, string]> | string | undefined {
  const planned = planPayload(
    { name: 'v', ...volume },
    {
      pod: makePod({ serviceAccountName: 'bot' }, { labels: { app: 'web' } }),
      facts: { podIps: ['10.244.0.5'], hostIps: ['10.168.0.2'] },
      allocatable: { memory: '1Gi' },
      lookup: {
        configMap: (name) => (name === 'cm' ? { data: { a: 'A', b: 'B' }, binaryData: { c: base64('C') } } : undefined),
        secret: (name) => (name === 'sec' ? { data: { password: base64('geheim') } } : undefined),
      },
      token: (audience) => (audience === 'none' ? undefined : `token for ${audience || 'the API server'}`),
    },
  )
  if (planned?.kind !== 'payload') return planned?.message
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  return Object.fromEntries(
    [...planned.payload].map(([path, { data, mode }]) => [path, [text(data), mode.toString(8)]]),
  )
}

const rows: readonly (readonly [string, Omit<Volume, 'name'>, ReturnType<typeof files>])[] = [
  ['all of a ConfigMap', { configMap: { name: 'cm' } }, { a: ['A', '644'], b: ['B', '644'], c: ['C', '644'] }],
  [
    'some keys under other paths and modes',
    {
      configMap: {
        name: 'cm',
        defaultMode: 0o600,
        items: [
          { key: 'a', path: 'deep/x' },
          { key: 'b', path: 'y', mode: 0o400 },
        ],
      },
    },
    { 'deep/x': ['A', '600'], y: ['B', '400'] },
  ],
  [
    'a missing key',
    { configMap: { name: 'cm', items: [{ key: 'z', path: 'z' }] } },
    'configmap references non-existent config key: z',
  ],
  [
    'a missing key that may be missing',
    { configMap: { name: 'cm', optional: true, items: [{ key: 'z', path: 'z' }] } },
    {},
  ],
  ['no such ConfigMap', { configMap: { name: 'no' } }, 'configmap "no" not found'],
  ['no such ConfigMap, which may be missing', { configMap: { name: 'no', optional: true } }, {}],
  ['a Secret', { secret: { secretName: 'sec' } }, { password: ['geheim', '644'] }],
  ['no such Secret', { secret: { secretName: 'no' } }, 'secret "no" not found'],
  [
    'the downward API',
    {
      downwardAPI: {
        items: [
          { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
          { path: 'memory', resourceFieldRef: { containerName: 'main', resource: 'limits.memory', divisor: '1Mi' } },
        ],
      },
    },
    { labels: ['app="web"', '644'], memory: ['1024', '644'] },
  ],
  [
    'projected: what a pod knows the API server by',
    {
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token' } },
          { configMap: { name: 'cm', items: [{ key: 'a', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
        ],
      },
    },
    { token: ['token for the API server', '644'], 'ca.crt': ['A', '644'], namespace: ['shop', '644'] },
  ],
  [
    'no token yet',
    { projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'none' } }] } },
    'failed to fetch token of service account "bot"',
  ],
  ['not made of objects', { emptyDir: {} }, undefined],
]
for (const [name, volume, want] of rows) test(`volume files: ${name}`, () => assert.deepEqual(files(volume), want))

test('volume kinds', () => {
  const plan = (volume: Omit<Volume, 'name'>) => planVolume({ name: 'v', ...volume })
  assert.deepEqual(plan({ emptyDir: {} }), { kind: 'emptyDir', inMemory: false, sizeBytes: undefined })
  assert.deepEqual(plan({ emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }), {
    kind: 'emptyDir',
    inMemory: true,
    sizeBytes: 1_048_576,
  })
  assert.deepEqual(plan({ secret: { secretName: 's' } }), { kind: 'payload', plugin: 'secret', secret: true })
  assert.deepEqual(plan({ nfs: { server: 'a', path: '/' } }), {
    kind: 'nfs',
    server: 'a',
    path: '/',
    options: [],
    readOnly: false,
  })
  assert.equal(plan({ rbd: { monitors: [], image: 'i' } } as never).kind, 'unsupported')
})

test('volumes behind claims', () => {
  const plan = (spec: object, readOnly = false) =>
    planClaimed({ spec: { capacity: { storage: '1Gi' }, ...spec } }, readOnly)
  assert.deepEqual(plan({ hostPath: { path: '/x' } }), { kind: 'hostPath', path: '/x', type: '', readOnly: false })
  assert.deepEqual(plan({ local: { path: '/x' } }, true), { kind: 'local', path: '/x', readOnly: true })
  assert.deepEqual(plan({ nfs: { server: 'a', path: '/x', readOnly: true }, mountOptions: ['nfsvers=4.2'] }), {
    kind: 'nfs',
    server: 'a',
    path: '/x',
    options: ['nfsvers=4.2'],
    readOnly: true,
  })
  assert.match(JSON.stringify(plan({ csi: { driver: 'd', volumeHandle: 'h' } })), /of type csi are not supported/)
  assert.match(JSON.stringify(plan({ volumeMode: 'Block', local: { path: '/dev/x' } })), /mode Block/)
})

for (const [type, found, isFine] of [
  ['', 'missing', true],
  ['Directory', 'directory', true],
  ['Directory', 'missing', false],
  ['DirectoryOrCreate', 'missing', true],
  ['DirectoryOrCreate', 'file', false],
  ['File', 'directory', false],
  ['Socket', 'socket', true],
] as const)
  test(`hostPath of type "${type}" where there is ${found}`, () =>
    assert.equal(hostPathProblem('/x', type, found) === undefined, isFine))

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Deployment } from '#api/apps.ts'
import type { Node, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { type Observed, readyEndpoints, waitingFor } from '#lab/readiness.ts'

const none: Observed = { nodes: [], deployments: [], pods: [], services: [], slices: [] }
const node = (name: string, status: string): Node => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status, message: 'no network' }] },
})
const pod = (name: string, ready: boolean, more: Pod['status'] = {}): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: 'web' } },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }], ...more },
})
const waitingPod = (reason: string, message?: string): Pod =>
  pod('a', false, {
    containerStatuses: [
      {
        name: 'c',
        image: '',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { waiting: { reason, ...(message !== undefined && { message }) } },
      },
    ],
  })
const service = (spec: NonNullable<Service['spec']>): Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec,
})
const web = service({ selector: { app: 'web' }, ports: [{ port: 80 }] })
const slice = (
  endpoints: NonNullable<EndpointSlice['endpoints']>,
  name = 'web',
  namespace = 'default',
): EndpointSlice => ({
  metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints,
})
const deployment = (status: NonNullable<Deployment['status']>, generation = 1): Deployment => ({
  metadata: { name: 'web', namespace: 'default', generation },
  spec: { replicas: 2, selector: {}, template: {} },
  status,
})

const cases: readonly (readonly [string, Partial<Observed>, readonly string[], readonly string[]])[] = [
  ['nothing wanted, nothing there', {}, [], []],
  ['a node that has not come', {}, ['node-1'], ['node node-1: has not come']],
  ['a node that says why', { nodes: [node('node-1', 'False')] }, ['node-1'], ['node node-1: no network']],
  ['a node that is ready', { nodes: [node('node-1', 'True')] }, ['node-1'], []],
  [
    'a deployment nobody has seen yet',
    { deployments: [deployment({})] },
    [],
    ['deployment default/web: 0 of 2 available'],
  ],
  [
    'what is counted is of an older generation',
    { deployments: [deployment({ observedGeneration: 1, updatedReplicas: 2, availableReplicas: 2 }, 2)] },
    [],
    ['deployment default/web: 0 of 2 available'],
  ],
  [
    'a deployment that is complete',
    { deployments: [deployment({ observedGeneration: 1, updatedReplicas: 2, availableReplicas: 2 })] },
    [],
    [],
  ],
  ['a pod that starts', { pods: [waitingPod('ContainerCreating')] }, [], ['pod default/a: Running']],
  [
    'a pod whose image nobody has',
    { pods: [waitingPod('ErrImagePull', 'no such image')] },
    [],
    ['pod default/a: ErrImagePull: no such image'],
  ],
  ['a pod that crashes', { pods: [waitingPod('CrashLoopBackOff')] }, [], ['pod default/a: CrashLoopBackOff']],
  ['a pod that is done', { pods: [pod('a', false, { phase: 'Succeeded' })] }, [], []],
  [
    'a Service before its endpoints',
    { services: [web], pods: [pod('a', true)] },
    [],
    ['service default/web: 0 of 1 endpoints'],
  ],
  ['a Service that no pod belongs to', { services: [web] }, [], []],
  [
    'a load balancer that is still to be made',
    { services: [service({ type: 'LoadBalancer' })] },
    [],
    ['service default/web: no load balancer yet'],
  ],
  [
    "a load balancer that is somebody else's to make",
    { services: [service({ type: 'LoadBalancer', loadBalancerClass: 'example.com/x' })] },
    [],
    [],
  ],
  ['another name waits for nobody', { services: [service({ type: 'ExternalName', externalName: 'x.y' })] }, [], []],
  [
    'a Service with its endpoint',
    { services: [web], pods: [pod('a', true)], slices: [slice([{ addresses: ['10.244.0.2'] }])] },
    [],
    [],
  ],
]
for (const [name, observed, nodes, want] of cases)
  test(`waiting for: ${name}`, () =>
    assert.deepEqual(
      waitingFor({ ...none, ...observed }, { nodes, balancer: 'fairway/pool' }).map(({ what }) => what),
      want,
    ))

test('an image that nobody has is hopeless, a crash is not', () => {
  const hopeless = (pod: Pod) =>
    waitingFor({ ...none, pods: [pod] }, { nodes: [], balancer: undefined }).map(({ hopeless }) => hopeless)
  assert.deepEqual(hopeless(waitingPod('ErrImagePull')), [true])
  assert.deepEqual(hopeless(waitingPod('CrashLoopBackOff')), [false])
})

test('ready endpoints: each once, of this Service only, unknown readiness counts', () => {
  const slices = [
    slice([
      { addresses: ['10.244.0.2'], conditions: { ready: true }, nodeName: 'node-1', targetRef: { name: 'a' } },
      { addresses: ['10.244.0.3'], conditions: { ready: false } },
      { addresses: ['10.244.0.4'], conditions: {} },
    ]),
    slice([{ addresses: ['10.244.0.2'], nodeName: 'node-1', targetRef: { name: 'a' } }]),
    slice([{ addresses: ['10.244.0.9'] }], 'other'),
    slice([{ addresses: ['10.244.0.8'] }], 'web', 'elsewhere'),
  ]
  assert.deepEqual(readyEndpoints(web, slices), [
    { ip: '10.244.0.2', pod: 'a', node: 'node-1' },
    { ip: '10.244.0.4', pod: undefined, node: undefined },
  ])
})

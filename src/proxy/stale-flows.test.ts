import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Flow } from '#kernel/conntrack/flow.ts'
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import type { Front, PortPlan } from '#proxy/plan/plan.ts'
import { planTargets, staleFlows } from '#proxy/stale-flows.ts'

const endpoint = (address: string, serving = true): Endpoint => {
  const [ip = '', port] = address.split(':')
  return {
    address,
    ip,
    port: Number(port),
    ready: serving,
    serving,
    terminating: false,
    local: false,
    remote: true,
    zones: [],
    nodes: [],
  }
}
function dns(endpoints: readonly Endpoint[], fronts: readonly Front[] = [], protocol: 'udp' | 'tcp' = 'udp'): PortPlan {
  const way = { policy: 'cluster', verdict: 'balance' } as const
  return {
    name: 'kube-system/kube-dns:dns',
    service: 'kube-system/kube-dns',
    protocol,
    clusterIp: '10.96.0.10',
    port: 53,
    internal: way,
    external: way,
    fronts,
    cluster: endpoints,
    local: [],
    affinitySeconds: 0,
    healthCheckNodePort: 0,
    all: endpoints,
  }
}
const flow = (to: string, through: string): Flow => {
  const [destination = '', destinationPort] = to.split(':')
  const [source = '', sourcePort] = through.split(':')
  const client = { protocol: 17, id: 1 }
  return {
    original: {
      ...client,
      source: '10.244.0.9',
      sourcePort: 1000,
      destination,
      destinationPort: Number(destinationPort),
    },
    reply: { ...client, source, sourcePort: Number(sourcePort), destination: '10.244.0.9', destinationPort: 1000 },
    status: 0,
    id: 1,
  }
}

const a = endpoint('10.244.0.2:53')
const b = endpoint('10.244.0.3:53')
const nodePort: Front = { kind: 'node-port', port: 30053 }
const external: Front = { kind: 'external-ip', address: '80.11.12.10' }
const cases: readonly (readonly [string, readonly PortPlan[], readonly PortPlan[], Flow, boolean])[] = [
  ['an endpoint that serves', [dns([a])], [dns([a, b])], flow('10.96.0.10:53', '10.244.0.2:53'), false],
  ['an endpoint that is gone', [dns([a, b])], [dns([b])], flow('10.96.0.10:53', '10.244.0.2:53'), true],
  [
    'its port has changed',
    [dns([a])],
    [dns([endpoint('10.244.0.2:54')])],
    flow('10.96.0.10:53', '10.244.0.2:53'),
    true,
  ],
  [
    'it terminates but serves',
    [dns([a])],
    [dns([{ ...a, ready: false, terminating: true }])],
    flow('10.96.0.10:53', '10.244.0.2:53'),
    false,
  ],
  [
    'not ready any more',
    [dns([a])],
    [dns([endpoint('10.244.0.2:53', false)])],
    flow('10.96.0.10:53', '10.244.0.2:53'),
    true,
  ],
  ['scaled to zero', [dns([a])], [dns([])], flow('10.96.0.10:53', '10.244.0.2:53'), true],
  ['deleted', [dns([a])], [], flow('10.96.0.10:53', '10.244.0.2:53'), true],
  ['made while nothing was ready', [dns([])], [dns([a])], flow('10.96.0.10:53', '10.96.0.10:53'), true],
  ['another Service', [dns([a])], [dns([b])], flow('10.96.0.11:53', '10.244.0.2:53'), false],
  ['another port', [dns([a])], [dns([b])], flow('10.96.0.10:54', '10.244.0.2:54'), false],
  ['TCP', [dns([a], [], 'tcp')], [dns([b], [], 'tcp')], flow('10.96.0.10:53', '10.244.0.2:53'), false],
  ['by NodePort', [dns([a], [nodePort])], [dns([b], [nodePort])], flow('10.168.0.2:30053', '10.244.0.2:53'), true],
  ['NodePort taken away', [dns([a], [nodePort])], [dns([a])], flow('10.168.0.2:30053', '10.244.0.2:53'), true],
  [
    'the same port elsewhere',
    [dns([a], [nodePort])],
    [dns([b], [nodePort])],
    flow('8.8.8.8:30053', '8.8.8.8:30053'),
    false,
  ],
  ['by external IP', [dns([a], [external])], [dns([b], [external])], flow('80.11.12.10:53', '10.244.0.2:53'), true],
]

for (const [name, before, after, one, stale] of cases)
  test(`flow: ${name}`, () => {
    const targets = planTargets(before, after)
    assert.equal(staleFlows([one], targets, new Set(['10.168.0.2', '127.0.0.1'])).length, stale ? 1 : 0)
  })

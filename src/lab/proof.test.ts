import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '#api/core.ts'
import { candidates } from '#lab/connect.ts'
import { newCluster } from '#lab/cluster.ts'
import { defaultOptions } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'
import { planTrials, whoAnswered } from '#lab/proof.ts'
import { renderProof, renderServices } from '#lab/report.ts'

const plan = planCluster(newCluster(defaultOptions, 3))
const slices = [
  {
    metadata: { namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'node-2', targetRef: { name: 'web-1' } }],
  },
]
const observed = { nodes: [], deployments: [], pods: [], services: [], slices }
const service = (spec: NonNullable<Service['spec']>): Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec,
})
const port = { port: 80, targetPort: 9376, protocol: 'TCP' }

const cases: readonly (readonly [string, NonNullable<Service['spec']>, readonly string[]])[] = [
  [
    'a cluster IP',
    { clusterIP: '10.96.0.7', ports: [port] },
    ['pod http://10.96.0.7:80/', 'pod http://web.default.svc.cluster.local:80/'],
  ],
  [
    'a NodePort, through each node',
    { type: 'NodePort', clusterIP: '10.96.0.7', ports: [{ ...port, nodePort: 30225 }] },
    [
      'pod http://10.96.0.7:80/',
      'pod http://web.default.svc.cluster.local:80/',
      'client http://10.168.0.2:30225/',
      'client http://10.168.0.3:30225/',
      'client http://10.168.0.4:30225/',
    ],
  ],
  [
    'a local one, through the nodes that have a pod',
    { clusterIP: '10.96.0.7', externalTrafficPolicy: 'Local', ports: [{ ...port, nodePort: 30225 }] },
    ['pod http://10.96.0.7:80/', 'pod http://web.default.svc.cluster.local:80/', 'client http://10.168.0.3:30225/'],
  ],
  [
    'an external IP',
    { clusterIP: '10.96.0.7', ports: [port], externalIPs: ['80.11.12.10'] },
    ['pod http://10.96.0.7:80/', 'pod http://web.default.svc.cluster.local:80/', 'client http://80.11.12.10:80/'],
  ],
  [
    'a headless one, by its name at the pods’ own port',
    { clusterIP: 'None', ports: [port] },
    ['pod http://web.default.svc.cluster.local:9376/'],
  ],
  [
    'TLS, and what is no TCP',
    {
      clusterIP: '10.96.0.7',
      ports: [
        { port: 443, name: 'https' },
        { port: 53, protocol: 'UDP' },
      ],
    },
    ['pod https://10.96.0.7:443/', 'pod https://web.default.svc.cluster.local:443/'],
  ],
  ['another name', { type: 'ExternalName', externalName: 'x.example' }, ['pod web.default.svc.cluster.local']],
]
for (const [name, spec, want] of cases)
  test(`what to try: ${name}`, () =>
    assert.deepEqual(
      planTrials(plan, service(spec), observed).map(({ from, url }) => `${from} ${url}`),
      want,
    ))

test('what to try: nothing where nobody would answer', () =>
  assert.deepEqual(
    planTrials(plan, service({ clusterIP: '10.96.0.7', ports: [port] }), { ...observed, slices: [] }),
    [],
  ))

test('who answered', () => {
  const pods = ['web-1', 'web-2']
  const who = (status: number, text: string) => whoAnswered({ status, body: Buffer.from(text) }, pods)
  assert.equal(who(200, 'web-2'), 'web-2')
  assert.equal(who(200, '<p>The host is web-1</p>\n'), 'web-1')
  assert.equal(who(404, '<h1>404 Not Found</h1>'), '404 404 Not Found')
  assert.equal(who(204, ''), '204')
})

test('names are tried as resolv.conf says', () => {
  const service = { search: ['default.svc.cluster.local', 'cluster.local'], ndots: 5 }
  assert.deepEqual(candidates('web', service), ['web.default.svc.cluster.local', 'web.cluster.local', 'web'])
  assert.deepEqual(candidates('a.b.c.d.e.f', service)[0], 'a.b.c.d.e.f')
  assert.deepEqual(candidates('web.', service), ['web.'])
})

test('what is printed', () => {
  const nodePort = service({ type: 'NodePort', clusterIP: '10.96.0.7', ports: [{ ...port, nodePort: 30225 }] })
  assert.equal(
    renderServices([nodePort], observed),
    `SERVICE       TYPE       CLUSTER-IP   PORTS          ENDPOINTS
default/web   NodePort   10.96.0.7    80:30225/TCP   10.244.1.2
`,
  )
  const trial = {
    service: 'default/web',
    from: 'pod',
    url: 'http://10.96.0.7:80/',
    label: 'pod/a',
    tookMs: 1.23,
  } as const
  assert.equal(
    renderProof([
      { ...trial, ok: true, answer: 'web-1' },
      { ...trial, ok: false, answer: 'ECONNREFUSED' },
    ]),
    `REQUEST                FROM    ANSWERED BY               TIME
http://10.96.0.7:80/   pod/a   web-1                     1.2 ms
http://10.96.0.7:80/   pod/a   no answer: ECONNREFUSED   1.2 ms
`,
  )
  assert.equal(renderProof([]), '')
})

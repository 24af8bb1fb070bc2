import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCluster, updateMember } from '#lab/cluster.ts'
import { planHealthPoints, reasonOf } from '#lab/health.ts'
import { defaultOptions } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'

test('every process that shall run is asked, where it can be asked', () => {
  const cluster = updateMember(newCluster(defaultOptions, 2), 'node-2', { parts: ['proxy'] })
  assert.deepEqual(
    planHealthPoints(planCluster(cluster)).map(({ name, url }) => `${name} ${url}`),
    [
      'API server https://10.168.0.250:6443/readyz?verbose',
      'controllers http://127.0.0.1:10257/readyz',
      'kubelet on node-1 http://127.0.0.1:10248/readyz',
      'kube-proxy on node-1 http://127.0.0.1:10256/healthz',
      'kube-flannel on node-1 http://127.0.0.1:8471/readyz',
      'fairway-announcer on node-1 http://127.0.0.1:8473/readyz',
      'fairway-provisioner on node-1 http://127.0.0.1:8474/readyz',
      'kube-proxy on node-2 http://127.0.0.1:10256/healthz',
    ],
  )
})

test('the appliance is asked, and nobody for addresses that it has', () => {
  const cluster = newCluster({ ...defaultOptions, loadBalancer: 'appliance' }, 1)
  const asked = planHealthPoints(planCluster(cluster)).map(({ name, url }) => `${name} ${url}`)
  assert.ok(asked.includes('load balancer http://10.168.0.249:10258/readyz'), asked.join())
  assert.ok(!asked.some((line) => line.includes('announcer')))
})

for (const [what, status, body, want] of [
  [
    'a report',
    500,
    '[+]ping ok\n[-]store failed: disk full\n[-]caches failed: not synced\nreadyz check failed\n',
    'store failed: disk full, caches failed: not synced',
  ],
  ['a sentence', 503, 'service unhealthy', '503 service unhealthy'],
  ['nothing', 502, '', '502'],
] as const)
  test(`why: ${what}`, () => assert.equal(reasonOf({ status, body: Buffer.from(body) }), want))

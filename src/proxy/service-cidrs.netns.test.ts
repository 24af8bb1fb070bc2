// Ranges of cluster IPs, from the API server into the rules of nftables mode.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { need } from '#test/need.ts'
import { eventually, startProxy } from '#test/running-proxy.ts'

const skip = need({ root: true, programs: ['nft'] })
const quiet = { mode: 'nftables', healthz: undefined, metrics: undefined } as const
const list = (...words: string[]) => spawnSync('nft', ['list', ...words], { encoding: 'utf8' }).stdout
const rules = () => list('chain', 'ip', 'fairway-proxy', 'postrouting')
const ranges = () => list('set', 'ip', 'fairway-proxy', 'service-cidrs').replaceAll(/\s+/g, ' ')
const dropping = 'ip daddr @service-cidrs drop'

test('proxy: what goes to a cluster IP that no Service has is dropped', { skip }, async () => {
  await using fake = await FakeKubernetes.start()
  const put = (name: string, ...cidrs: string[]) => fake.put('servicecidrs', { metadata: { name }, spec: { cidrs } })
  put('kubernetes', '10.96.0.0/16', 'fd00:96::/108')
  await using proxy = await startProxy(quiet, fake)
  await eventually('the first range', () => rules().includes(dropping) && ranges().includes('10.96.0.0/16'))
  put('more', '10.97.0.0/16')
  await eventually('both ranges', () => ranges().includes('10.96.0.0/15'))
  fake.remove('servicecidrs', { name: 'more' })
  await eventually('one range', () => ranges().includes('10.96.0.0/16 '))
  const requests = fake.requests.filter((request) => request.includes('servicecidrs'))
  assert.ok(requests.every((request) => request.startsWith('GET /apis/networking.k8s.io/v1/servicecidrs?')))
  assert.ok(!proxy.lines.some((line) => line.includes('No ServiceCIDRs')))
})

for (const [code, reason] of [
  [403, 'Forbidden'],
  [404, 'NotFound'],
] as const)
  test(`proxy: an API server that answers ${code} when asked for ranges of cluster IPs`, { skip }, async () => {
    await using fake = await FakeKubernetes.start()
    fake.put('services', {
      metadata: { namespace: 'demo', name: 'web' },
      spec: { clusterIP: '10.96.0.9', ports: [{ port: 80, protocol: 'TCP' }] },
    })
    fake.intercept = (request, response) => {
      if (!request.url?.includes('servicecidrs')) return false
      response.writeHead(code, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code }))
      return true
    }
    await using proxy = await startProxy(quiet, fake)
    const services = () => list('map', 'ip', 'fairway-proxy', 'services')
    await eventually('it is said', () =>
      proxy.lines.includes('No ServiceCIDRs: traffic to unallocated ClusterIPs is not dropped'),
    )
    await eventually('the Service', () => services().includes('10.96.0.9') && !rules().includes(dropping))
    assert.equal(fake.requests.filter((request) => request.includes('servicecidrs')).length, 1)
  })

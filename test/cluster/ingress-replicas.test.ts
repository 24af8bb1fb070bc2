// deploy/ingress.yaml as it is: two replicas that both serve, one of which writes; and what becomes of it when that one dies.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'haproxy'] })
const own = ['-n', 'fairway-ingress']
let live: LiveCluster
before(() => {
  if (skip !== false) return
  live = new LiveCluster('replicas', ['--nodes', '2', '-f', 'examples/hostnames.yaml'])
  live.kubectl('apply', '-f', 'deploy/ingress.yaml')
  live.kubectl(...own, 'rollout', 'status', 'deployment/fairway-ingress', '--timeout=60s')
})
after(() => live?.down())

/** An Ingress for a host, which leads to a Service. */
function ingress(name: string, host: string, service = 'hostnames'): void {
  const backend = { service: { name: service, port: { number: 80 } } }
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name },
    spec: {
      ingressClassName: 'fairway',
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
  }
  const { status, stderr } = live.tryKubectl(['apply', '-f', '-'], JSON.stringify(object))
  assert.equal(status, 0, stderr)
}
const address = () => live.value('.status.loadBalancer.ingress[0].ip', ...own, 'service', 'fairway-ingress')
const addressOf = (name: string) => live.value('.status.loadBalancer.ingress[*].ip', 'ingress', name)
/** Who answers a request for a host at an address. */
const ask = (host: string, at: string, from = 'client') =>
  live.sh(from, `curl -s -m 5 -H Host:${host} http://${at}/`).text
const pods = () =>
  JSON.parse(live.kubectl(...own, 'get', 'pods', '-o', 'json')) as {
    items: { metadata: { name: string }; spec: { nodeName: string }; status: { podIP: string } }[]
  }
/** The pod that writes. */
const holder = () => live.value('.spec.holderIdentity', ...own, 'lease', 'fairway-ingress').split('_')[0]!

test(
  'both replicas serve, on two nodes; the Ingress gets the address of the Service before them',
  { skip },
  async () => {
    ingress('first', 'first.test')
    await until(() => assert.equal(addressOf('first'), address()))
    await until(() => assert.match(ask('first.test', address()), /^hostnames-/))
    const { items } = pods()
    assert.equal(items.length, 2)
    assert.equal(new Set(items.map(({ spec }) => spec.nodeName)).size, 2)
    for (const { status } of items)
      await until(() => assert.match(ask('first.test', status.podIP, 'node/node-1'), /^hostnames-/))
  },
)

test(
  'the replica that writes is killed: the other one serves on, and writes then',
  { skip, timeout: 90_000 },
  async () => {
    const before = holder()
    const { items } = pods()
    const leader = items.find(({ metadata }) => metadata.name === before)!
    assert.ok(leader, before)
    const other = items.find(({ metadata }) => metadata.name !== before)!
    live.kubectl(...own, 'delete', 'pod', before, '--grace-period=0', '--force', '--wait=false')
    ingress('second', 'second.test')
    await until(() =>
      assert.match(ask('second.test', other.status.podIP, `node/${other.spec.nodeName}`), /^hostnames-/),
    )
    await until(() => assert.notEqual(holder(), before))
    await until(() => assert.equal(addressOf('second'), address()))
    await until(() => assert.match(ask('second.test', address()), /^hostnames-/))
    live.kubectl(...own, 'rollout', 'status', 'deployment/fairway-ingress', '--timeout=30s')
  },
)

test('what cannot be served is told once, by the one that writes', { skip }, async () => {
  ingress('wrong', 'wrong.test', 'gone')
  await until(() =>
    assert.match(live.kubectl('describe', 'ingress', 'wrong'), /NoService .*default\/gone does not exist/),
  )
  const told = live.kubectl('get', 'events', '--field-selector', 'reason=NoService', '-o', 'jsonpath={.items[*].count}')
  assert.equal(told, '1')
})

test('an Ingress that is no longer ours loses the address', { skip }, async () => {
  const patch = '{"spec":{"ingressClassName":"nobody"}}'
  live.kubectl('patch', 'ingress', 'second', '--type=merge', '-p', patch)
  await until(() => assert.equal(addressOf('second'), ''))
  await until(() => assert.equal(ask('second.test', address()), 'no Ingress is for this host and path'))
  assert.equal(addressOf('first'), address())
})

// Services of type LoadBalancer on a whole cluster: addresses, who answers for them, and what happens when it is gone.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { run } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
const clientIp = '203.0.113.10'
let live: LiveCluster
before(() => {
  if (skip !== false) return
  live = new LiveCluster('balancer', ['-f', 'examples/load-balancer.yaml', '-f', 'test/cluster/testdata/balancer.yaml'])
})
after(() => live?.down())

const addressOf = (service: string) => live.value('.status.loadBalancer.ingress[0].ip', 'service', service)
const names = (selector: string) => live.pods(selector).map(({ name }) => name)

/** The nodes whose answer the client has got last. */
function answererOf(ip: string): string {
  const { text: mac } = live.sh('router', `ip neigh show ${ip} | grep -o 'lladdr [^ ]*' | cut -d' ' -f2`)
  const nodes = JSON.parse(live.kubectl('get', 'nodes', '-o', 'json')) as {
    items: { metadata: { name: string }; status: { addresses: { type: string; address: string }[] } }[]
  }
  const node = nodes.items.find(
    ({ metadata }) => live.sh(`node/${metadata.name}`, 'cat /sys/class/net/eth0/address').text === mac,
  )
  return node?.metadata.name ?? 'nobody'
}

test('up tries the address from outside', { skip }, () => {
  const ip = addressOf('hostnames-lb')
  assert.match(live.shown, new RegExp(`^http://${ip}:80/ +client \\(${clientIp}\\) +hostnames-lb-`, 'm'))
})

test('the address answers outside, on this machine and from pods', { skip }, () => {
  const ip = addressOf('hostnames-lb')
  const pods = names('app=hostnames-lb')
  assert.deepEqual([...new Set(live.answers('client', `http://${ip}/`, 60))].sort(), [...pods].sort())
  assert.ok(pods.includes(run(['curl', '-sS', '-m', '5', ip])))
  assert.ok(pods.includes(live.answers('pod/seer', `http://${ip}/`, 1)[0]!))
  assert.equal(live.value('.status.loadBalancer.ingress[0].ipMode', 'service', 'hostnames-lb'), 'VIP')
  assert.match(live.value('.metadata.finalizers', 'service', 'hostnames-lb'), /load-balancer-cleanup/)
})

test('policy Local: a node with a pod answers, and the pod sees the client', { skip }, () => {
  const ip = addressOf('seer-lb')
  const [seer] = live.pods('app=seer')
  assert.match(live.answers('client', `http://${ip}/clientip`, 1)[0]!, new RegExp(`^${clientIp}:\\d+$`))
  assert.equal(answererOf(ip), seer!.node)
})

// Kubernetes' test "should implement NodePort and HealthCheckNodePort correctly when ExternalTrafficPolicy changes".
test('NodePort and health check node port on three nodes, as the policy changes', { skip }, async () => {
  const [seer] = live.pods('app=seer')
  const field = (path: string) => live.value(`.spec.${path}`, 'service', 'seer-lb')
  const ips = new Map(
    ['node-1', 'node-2', 'node-3'].map((node) => [
      node,
      live.value('.status.addresses[?(@.type=="InternalIP")].address', 'node', node),
    ]),
  )
  const others = [...ips.keys()].filter((node) => node !== seer!.node)
  const health = (node: string, port: string) =>
    live.answers('client', `-o /dev/null -m 3 -w '%{http_code}' http://${ips.get(node)}:${port}/`, 1).at(-1)
  const isServed = (from: 'client' | `node/${string}`, node: string) =>
    /^[\d.]+:\d+$/.test(
      live.answers(from, `-m 1 http://${ips.get(node)}:${field('ports[0].nodePort')}/clientip`, 1)[0]!,
    )
  const assertLocal = () => {
    const port = field('healthCheckNodePort')
    assert.deepEqual(
      [seer!.node, ...others].map((node) => health(node, port)),
      ['200', '503', '503'],
    )
    assert.deepEqual(
      [seer!.node, ...others].map((node) => isServed('client', node)),
      [true, false, false],
    )
    assert.ok(isServed(`node/${others[0]}`, others[0]!), 'from the node itself, to any endpoint')
    return port
  }
  const port = await until(assertLocal)
  live.kubectl('patch', 'service', 'seer-lb', '-p', '{"spec":{"externalTrafficPolicy":"Cluster"}}')
  await until(() => {
    assert.deepEqual(
      [...ips.keys()].map((node) => health(node, port)),
      ['000', '000', '000'],
    )
    assert.deepEqual(
      [...ips.keys()].map((node) => isServed('client', node)),
      [true, true, true],
    )
  })
  live.kubectl('patch', 'service', 'seer-lb', '-p', '{"spec":{"externalTrafficPolicy":"Local"}}')
  await until(assertLocal)
})

test('a class that nobody serves is told of; one of ours is served', { skip }, async () => {
  assert.notEqual(addressOf('classed'), '')
  assert.equal(addressOf('foreign'), '')
  await until(() =>
    assert.match(live.kubectl('describe', 'service', 'foreign'), /NoLoadBalancerProvider .*"example\.com\/other"/),
  )
})

test(
  'an address that is asked for twice: the second is refused with a word, and served when the first is gone',
  {
    skip,
  },
  async () => {
    const ip = addressOf('asked')
    assert.match(ip, /^10\.168\.\d+\.239$/)
    live.kubectl('create', '-f', 'test/cluster/testdata/balancer-again.yaml')
    await until(() =>
      assert.match(
        live.kubectl('describe', 'service', 'asked-again'),
        /SyncLoadBalancerFailed .*belongs to Service default\/asked/,
      ),
    )
    live.kubectl('delete', 'service', 'asked')
    await until(() => assert.equal(addressOf('asked-again'), ip))
  },
)

test('a Service that is no load balancer any more loses its address', { skip }, async () => {
  const ip = addressOf('asked-again')
  live.kubectl('patch', 'service', 'asked-again', '-p', '{"spec":{"type":"ClusterIP"}}')
  await until(() => assert.equal(addressOf('asked-again'), ''))
  assert.equal(live.value('.metadata.finalizers', 'service', 'asked-again'), '')
  const [answer] = live.answers('client', `-m 2 http://${ip}/`, 1)
  assert.match(answer!, /curl: \((7|28)\)/)
})

test('the node that answers dies: another one takes over', { skip }, async () => {
  const ip = addressOf('hostnames-lb')
  const before = answererOf(ip)
  assert.equal(live.fairway('node kill', before).status, 0)
  const left = live.pods('app=hostnames-lb').filter(({ node }) => node !== before)
  assert.ok(left.length > 0, 'a pod is on another node')
  const asked = () => live.answers('client', `http://${ip}/`, 5)
  await until(() => assert.ok(asked().some((answer) => left.some(({ name }) => name === answer))))
  assert.ok(![before, 'nobody'].includes(answererOf(ip)))
})

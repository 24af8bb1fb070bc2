// The cloud's way of load balancing on a whole cluster: an appliance before the nodes, that sends to their NodePorts.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { run } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
let live: LiveCluster
before(() => {
  if (skip !== false) return
  live = new LiveCluster('appliance', ['--load-balancer', 'appliance', '-f', 'examples/load-balancer.yaml'])
})
after(() => live?.down())

const addressOf = (service: string) => live.value('.status.loadBalancer.ingress[0].ip', 'service', service)
const pods = () => live.pods('app=hostnames-lb')
/** `in` or `out` and why, by node. */
function backends(service: string): ReadonlyMap<string, string> {
  const rows = live.fairway('status').stdout.matchAll(/^(\S+\/\S+) +(node-\d) +(in|out) +(.*)$/gm)
  return new Map([...rows].flatMap(([, of, node, state, why]) => (of === service ? [[node!, `${state} ${why}`]] : [])))
}

test('the address answers outside, on this machine and from pods, which go by the appliance too', { skip }, () => {
  const ip = addressOf('hostnames-lb')
  const names = pods().map(({ name }) => name)
  assert.equal(live.value('.status.loadBalancer.ingress[0].ipMode', 'service', 'hostnames-lb'), 'Proxy')
  assert.deepEqual([...new Set(live.answers('client', `http://${ip}/`, 60))].sort(), [...names].sort())
  assert.ok(names.includes(run(['curl', '-sS', '-m', '5', ip])))
  assert.ok(names.includes(live.answers(`pod/${names[0]}`, `http://${ip}/`, 1)[0]!))
})

test('status shows which nodes get connections and why', { skip }, () => {
  assert.deepEqual([...backends('default/hostnames-lb').keys()], ['node-1', 'node-2', 'node-3'])
  for (const said of backends('default/hostnames-lb').values())
    assert.match(said, /^in 200 from http:.*:10256\/healthz$/)
  const own = new Set(pods().map(({ node }) => node))
  for (const [node, said] of backends('default/hostnames-lb-local'))
    assert.match(said, own.has(node) ? /^in 200 from / : /^out 503 from http:.*:3\d{4}\/healthz$/)
})

test('a node that is excluded, and one that is gone, get nothing more', { skip }, async () => {
  live.kubectl('label', 'node', 'node-1', 'node.kubernetes.io/exclude-from-external-load-balancers=')
  await until(() =>
    assert.equal(
      backends('default/hostnames-lb').get('node-1'),
      'out label node.kubernetes.io/exclude-from-external-load-balancers',
    ),
  )
  assert.equal(live.fairway('node kill', 'node-2').status, 0)
  await until(() => assert.match(backends('default/hostnames-lb').get('node-2')!, /^out /))
  const left = pods().filter(({ node }) => node !== 'node-2')
  for (const answer of live.answers('client', `http://${addressOf('hostnames-lb')}/`, 20))
    assert.ok(left.some(({ name }) => name === answer) || /curl/.test(answer), answer)
})

test('the appliance restarts, and everything is as it was', { skip }, async () => {
  const ip = addressOf('hostnames-lb')
  const [pid] = /^balancer +(\d+)/m.exec(live.fairway('status').stdout)!.slice(1)
  process.kill(Number(pid), 'SIGKILL')
  const rules = live.sh('balancer', 'nft list table ip fairway-balancer').text
  assert.match(rules, /dnat/, 'rules stay while nobody keeps them')
  assert.doesNotMatch(live.answers('client', `http://${ip}/`, 1)[0]!, /curl/)
  live.fairway('up')
  await until(() => assert.match(live.fairway('status').stdout, /^balancer /m))
  live.kubectl('delete', 'service', 'hostnames-lb')
  await until(() => assert.doesNotMatch(live.sh('balancer', 'ip address show eth0').text, new RegExp(`inet ${ip}/`)))
})

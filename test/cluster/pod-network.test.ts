// Nodes on two networks behind a router, joined by host-gw, which cannot reach from one to the other; and nodes cut off.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
let live: LiveCluster

before(() => {
  if (skip !== false) return
  live = new LiveCluster('podnet', [
    '--subnets',
    '2',
    '--pod-network',
    'host-gw',
    '-f',
    'test/cluster/testdata/spread.yaml',
  ])
})
after(() => live?.down())

const podOn = (node: string) => live.pods('app=spread').find((pod) => pod.node === node)!
const address = (node: string) => live.value('.status.addresses[0].address', 'node', node)
const get = (from: string, ip: string) => live.sh(from, `curl -sS -m 2 http://${ip}:9376/`)

test('every second node is behind a router', { skip }, () => {
  assert.match(live.sh('node/node-1', 'ip -4 addr show eth0').text, new RegExp(`inet ${address('node-1')}/25 `))
  assert.match(live.sh('node/node-2', 'ip route').text, /^default via 10\.\d+\.\d+\.129 dev eth0/m)
  for (const node of ['node-1', 'node-2', 'node-3']) {
    const { text } = live.sh('client', `curl -sSk -m 5 https://${address(node)}:10250/healthz`)
    assert.doesNotMatch(text, /timed out|refused/, node)
  }
})

test('host-gw reaches who is on the same network, and says whom it does not reach', { skip }, async () => {
  const { text } = live.sh('node/node-1', 'ip route')
  const cidr = (node: string) => live.value('.spec.podCIDR', 'node', node)
  assert.match(text, new RegExp(`^${cidr('node-3')} via `, 'm'))
  assert.doesNotMatch(text, new RegExp(`^${cidr('node-2')} `, 'm'))
  assert.equal(get('node/node-1', podOn('node-3').ip).text, podOn('node-3').name)
  await until(() => {
    const conditions = live.kubectl('get', 'node', 'node-1', '-o', 'jsonpath={.status.conditions}')
    const own = (JSON.parse(conditions) as { type: string; status: string; reason: string; message: string }[]).find(
      ({ type }) => type === 'PodNetworkIncomplete',
    )
    assert.deepEqual([own?.status, own?.reason], ['True', 'NotOnLink'])
    assert.match(own!.message, new RegExp(`no route to ${cidr('node-2')}: .* of node-2 is not on the network of eth0`))
  })
  await until(() => assert.match(live.kubectl('get', 'events'), /NotOnLink +node\/node-1 +no route to/))
})

test('partition and heal', { skip }, () => {
  const pod = podOn('node-3')
  assert.equal(live.fairway('partition', 'node-3', 'node-1').stdout, 'node-1 | node-3\n')
  assert.match(get('node/node-1', pod.ip).text, /timed out/)
  assert.match(live.sh('node/node-3', `curl -sS -m 1 http://${podOn('node-1').ip}:9376/`).text, /timed out/)
  // Whoever is between the two still reaches both.
  assert.equal(
    live.sh('client', `curl -sSk -m 5 -o /dev/null https://${address('node-1')}:10250/`).text.includes('timed out'),
    false,
  )
  live.fairway('partition', 'node-1', 'node-2')
  assert.equal(live.fairway('partition').stdout, 'node-1 | node-3\nnode-1 | node-2\n')
  assert.equal(live.fairway('heal', 'node-1', 'node-3').stdout, 'node-1 | node-2\n')
  assert.equal(get('node/node-1', pod.ip).text, pod.name)
  assert.equal(live.fairway('heal').stdout, 'nobody is cut off\n')
  const wrong = live.fairway('partition', 'node-1', 'node-9')
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /there is no "node-9"/)
})

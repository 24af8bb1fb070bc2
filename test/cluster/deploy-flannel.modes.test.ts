// deploy/flannel.yaml on a whole cluster, in the image that `fairway image build` makes: the nodes' own pod network ends, and the
// DaemonSet does its work, with its rules in nftables.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'nft', 'ip'] })
const nodes = ['node-1', 'node-2'] as const
const folder = mkdtempSync(join(tmpdir(), 'fairway-deploy-flannel-'))
let live: LiveCluster
before(() => {
  if (skip !== false) return
  live = new LiveCluster('deploy-flannel', ['--nodes', '2', '-f', 'examples/hostnames.yaml'])
  const archive = join(folder, 'fairway.tar')
  assert.equal(fairway(['image', 'build', archive, '--package', 'iptables']).status, 0)
  assert.equal(live.fairway('image import', 'fairway:0.1.0', archive).status, 0)
})
after(() => {
  live?.down()
  rmSync(folder, { recursive: true })
})

test('deploy/flannel.yaml takes over from the pod network of the nodes', { skip }, async () => {
  for (const node of nodes) assert.equal(live.fairway('node stop', node, '--part', 'flannel').status, 0)
  for (const node of nodes) live.sh(`node/${node}`, 'ip link del flannel.1')
  live.kubectl('apply', '-f', 'deploy/flannel.yaml')
  live.kubectl('-n', 'kube-flannel', 'rollout', 'status', 'daemonset/fairway-flannel', '--timeout=60s')
  for (const node of nodes) {
    const place = `node/${node}` as const
    await until(() => assert.match(live.sh(place, 'ip route show dev flannel.1').text, /via 10\.244\.\d+\.0 onlink/))
    await until(() => assert.match(live.sh(place, 'nft list table ip flannel-ipv4').text, /masquerade fully-random/))
    assert.doesNotMatch(live.sh(place, 'iptables-save').text, /FLANNEL/)
    assert.match(live.sh(place, 'cat /etc/cni/net.d/10-flannel.conflist').text, /"type": "bridge"/)
  }
  const pods = JSON.parse(live.kubectl('get', 'pods', '-l', 'app=hostnames', '-o', 'json')).items as Pod[]
  const [from] = pods
  const far = pods.find(({ spec }) => spec.nodeName !== from!.spec.nodeName)!
  const [said] = live.answers(`pod/${from!.metadata.name}`, `http://${far.status.podIP}:9376/`, 1)
  assert.equal(said, far.metadata.name)
})
type Pod = {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly nodeName: string }
  readonly status: { readonly podIP: string }
}

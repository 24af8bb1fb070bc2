// deploy/proxy.yaml on a whole cluster, in the image that `fairway image build` makes: the nodes' own proxies end, and the
// DaemonSet does their work.
import * as assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway, run } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'nft'] })
const nodes = ['node-1', 'node-2', 'node-3'] as const
const folder = mkdtempSync(join(tmpdir(), 'fairway-deploy-proxy-'))
let live: LiveCluster
before(() => {
  if (skip !== false) return
  live = new LiveCluster('deploy-proxy', ['-f', 'examples/hostnames.yaml'])
  const archive = join(folder, 'fairway.tar')
  assert.equal(fairway(['image', 'build', archive]).status, 0)
  assert.equal(live.fairway('image import', 'fairway:0.1.0', archive).status, 0)
})
after(() => {
  live?.down()
  rmSync(folder, { recursive: true })
})

test('deploy/proxy.yaml takes over from the proxies of the nodes', { skip }, async () => {
  for (const node of nodes) assert.equal(live.fairway('node stop', node, '--part', 'proxy').status, 0)
  for (const node of nodes) live.sh(`node/${node}`, 'nft delete table ip fairway-proxy')
  const server = JSON.parse(live.kubectl('config', 'view', '-o', 'json')).clusters[0].cluster.server as string
  const manifest = readFileSync('deploy/proxy.yaml', 'utf8').replace('https://192.0.2.1:6443', server)
  run(['sh', '-c', 'printf %s "$MANIFEST" | kubectl apply -f -'], { ...live.env, MANIFEST: manifest })
  live.kubectl('-n', 'kube-system', 'rollout', 'status', 'daemonset/fairway-proxy', '--timeout=60s')
  const logs = live.kubectl('-n', 'kube-system', 'logs', 'daemonset/fairway-proxy')
  assert.match(logs, /Adding new service port "default\/hostnames-nodeport:http"/)
  const path = 'jsonpath={.items[*].status.containerStatuses[0].imageID}'
  const images = live.kubectl('-n', 'kube-system', 'get', 'pods', '-l', 'k8s-app=fairway-proxy', '-o', path)
  assert.ok(images !== '' && !images.includes('built-in'), images)
  const nodePort = live.value('.spec.ports[0].nodePort', 'service', 'hostnames-nodeport')
  for (const node of nodes) {
    const ip = live.value('.status.addresses[?(@.type=="InternalIP")].address', 'node', node)
    await until(() => assert.match(live.answers('client', `http://${ip}:${nodePort}/`, 1)[0]!, /^hostnames-/))
  }
})

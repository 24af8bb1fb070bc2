// deploy/ingress.yaml with the image that its comment tells how to build: HAProxy and Node from there, nothing of this machine.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'haproxy', 'dpkg', 'ldd', 'tar'] })
const folder = mkdtempSync(join(tmpdir(), 'fairway-ingress-image-'))
const own = ['-n', 'fairway-ingress']
let live: LiveCluster
before(() => {
  if (skip !== false) return
  live = new LiveCluster('ingress-image', ['--nodes', '1', '-f', 'examples/hostnames.yaml'])
})
after(() => {
  rmSync(folder, { recursive: true })
  live?.down()
})

test('the controller runs from its own image', { skip, timeout: 180_000 }, async () => {
  const archive = join(folder, 'fairway.tar')
  const built = fairway(['image', 'build', archive, '--package', 'haproxy'])
  assert.equal(built.status, 0, built.stderr)
  const imported = live.fairway('image import', 'fairway:0.1.0', archive)
  assert.equal(imported.status, 0, imported.stderr)
  live.kubectl('apply', '-f', 'deploy/ingress.yaml')
  live.kubectl(...own, 'rollout', 'status', 'deployment/fairway-ingress', '--timeout=60s')
  const within = (...words: string[]) => live.kubectl(...own, 'exec', 'deployment/fairway-ingress', '--', ...words)
  assert.match(within('haproxy', '-v'), /^HAProxy version 2\./)
  assert.match(within('node', '-p', 'fs.readdirSync("/").join(" ")'), /\bopt\b(?!.*\bhome\b)/)
  live.kubectl('create', 'ingress', 'one', '--class=fairway', '--rule=one.test/*=hostnames:80')
  const address = live.value('.status.loadBalancer.ingress[0].ip', ...own, 'service', 'fairway-ingress')
  await until(() =>
    assert.match(live.sh('client', `curl -s -m 5 -H Host:one.test http://${address}/`).text, /^hostnames-/),
  )
  await until(() => assert.equal(live.value('.status.loadBalancer.ingress[*].ip', 'ingress', 'one'), address))
})

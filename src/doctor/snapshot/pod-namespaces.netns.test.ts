// Two clusters on one machine have pods of the same address: each node finds its own.
import * as assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { namespacesByAddress } from '#doctor/snapshot/pod-namespaces.ts'
import { snapshotScript } from '#doctor/snapshot/script.ts'
import { createNetns, deleteNetns, namespaceIdentity, withNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { need } from '#test/need.ts'
import { readWorld } from '#trace/read/read-world.ts'

const skip = need({ root: true, programs: ['ip', 'nsenter', 'lsns', 'tar'] })
const ip = '10.244.1.5'

type Cluster = { readonly node: string; readonly pod: string; readonly mac: string; readonly process: ChildProcess }

/** A node with a cable into its pod, in which a process lives. */
function cluster(name: string, mac: string): Cluster {
  const [node, pod] = ['node', 'pod'].map((kind) => `/run/netns/test-pods-${process.pid}-${name}-${kind}`)
  createNetns(node!)
  createNetns(pod!)
  using route = openRoute(node)
  route.addVeth({ name: 'veth0', peer: { name: 'eth0', mac, up: true }, peerNetns: pod! })
  using inside = openRoute(pod)
  inside.addAddress({ link: 'eth0', cidr: `${ip}/24` })
  const sleeper = withNetns(pod, () => spawn('sleep', ['60'], { stdio: 'ignore' }))
  return { node: node!, pod: pod!, mac, process: sleeper }
}

test('snapshot: of two pods with one address, each node finds its own', { skip }, () => {
  const clusters = [cluster('a', '0a:58:00:00:00:0a'), cluster('b', '0a:58:00:00:00:0b')]
  const folder = mkdtempSync(join(tmpdir(), 'fairway-pods-'))
  try {
    for (const { node, pod, mac } of clusters) {
      const found = withNetns(node, namespacesByAddress).get(ip)
      assert.equal(namespaceIdentity(found!), namespaceIdentity(pod))

      const script = withNetns(node, () =>
        spawnSync('sh', ['-s', join(folder, 'node.tgz')], {
          input: snapshotScript('test'),
          encoding: 'utf8',
          env: { ...process.env, NODE_NAME: 'node-1', KUBECONFIG: '/nonexistent' },
        }),
      )
      assert.equal(script.stdout, `${join(folder, 'node.tgz')}\n`, script.stderr)
      const web = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', namespace: 'default' },
        spec: { nodeName: 'node-1' },
        status: { podIPs: [{ ip }] },
      }
      const files = [...openInputs([join(folder, 'node.tgz')]), { file: 'web.json', text: JSON.stringify(web) }]
      const machine = readWorld(files).world.podMachines?.get('default/web')
      assert.equal(machine?.links?.find(({ name }) => name === 'eth0')?.mac, mac)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
    for (const { node, pod, process: sleeper } of clusters) {
      sleeper.kill('SIGKILL')
      deleteNetns(node)
      deleteNetns(pod)
    }
  }
})

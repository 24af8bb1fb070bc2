import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultOptions } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'
import { planProcesses } from '#lab/process-plan.ts'

test('one process for the control plane, one for each node, told what they need', () => {
  const plan = planCluster({ ...defaultOptions, nodes: 2, serviceNodePortRange: '1-65535', hairpinMode: 'none' })
  const [controlPlane, ...nodes] = planProcesses(plan)
  assert.equal(controlPlane!.name, 'control-plane')
  assert.equal(controlPlane!.words[0], 'control-plane')
  assert.ok(controlPlane!.words.includes('--service-node-port-range=1-65535'))
  assert.ok(controlPlane!.words.includes('--advertise-address=10.168.0.250'))
  assert.deepEqual(
    nodes.map(({ name, namespaces, log }) => [name, Object.keys(namespaces), log]),
    [
      ['node-1', ['net', 'mount', 'uts'], '/var/lib/fairway/fairway/logs/node-1.log'],
      ['node-2', ['net', 'mount', 'uts'], '/var/lib/fairway/fairway/logs/node-2.log'],
    ],
  )
  assert.ok(nodes[1]!.words.includes('--hairpin-mode=none'))
  assert.ok(nodes[1]!.words.includes('--node-name=node-2'))
  assert.ok(nodes[1]!.words.includes('--pod-network=vxlan'))
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCluster, updateMember } from '#lab/cluster.ts'
import { defaultOptions } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'
import { planProcesses } from '#lab/process-plan.ts'

test('one process for the control plane, one for each node, told what they need', () => {
  const options = { ...defaultOptions, serviceNodePortRange: '1-65535', hairpinMode: 'none' } as const
  const plan = planCluster(newCluster(options, 2))
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

test('a stopped part is left out; a node without parts, or without power, has no process', () => {
  const whole = newCluster(defaultOptions, 3)
  const names = (cluster: typeof whole) => planProcesses(planCluster(cluster)).map(({ name }) => name)
  const partly = updateMember(whole, 'node-1', { parts: ['agent', 'flannel'] })
  const [, one] = planProcesses(planCluster(partly))
  assert.ok(one!.words.includes('--parts=agent,flannel'))
  assert.deepEqual(names(updateMember(whole, 'node-2', { parts: [] })), ['control-plane', 'node-1', 'node-3'])
  assert.deepEqual(names(updateMember(whole, 'node-3', { power: 'off' })), ['control-plane', 'node-1', 'node-2'])
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planNode, planNodeStatus, saysTheSame } from '#node/register/node-object.ts'

const facts = {
  cpus: 2,
  memoryKiB: 24_000_000,
  diskKiB: 50_000_000,
  machineId: 'm',
  systemUuid: 's',
  bootId: 'b',
  kernelVersion: '6.1.0',
  osImage: 'Debian GNU/Linux 12 (bookworm)',
  architecture: 'amd64',
}
const input = (problems: readonly string[]) => ({
  name: 'node-1',
  ips: ['10.168.0.2'],
  facts,
  runtimeVersion: 'crun://1.8.1',
  port: 10250,
  problems,
})

test('a Node as kubelet describes it', () => {
  assert.deepEqual(planNode(input([])).metadata?.labels, {
    'beta.kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/hostname': 'node-1',
    'kubernetes.io/os': 'linux',
  })
  const { addresses, capacity, nodeInfo, daemonEndpoints } = planNodeStatus(input([]), undefined, 0)
  assert.deepEqual(addresses, [
    { type: 'InternalIP', address: '10.168.0.2' },
    { type: 'Hostname', address: 'node-1' },
  ])
  assert.deepEqual(capacity, { cpu: '2', 'ephemeral-storage': '50000000Ki', memory: '24000000Ki', pods: '110' })
  assert.equal(nodeInfo?.kubeletVersion, 'v1.36.2-fairway')
  assert.equal(nodeInfo?.containerRuntimeVersion, 'crun://1.8.1')
  assert.equal(daemonEndpoints?.kubeletEndpoint?.Port, 10250)
})

test('a Node is ready when nothing is in the way, and its condition keeps the time of the change', () => {
  const ready = (status: ReturnType<typeof planNodeStatus>) => status.conditions?.find(({ type }) => type === 'Ready')
  const before = planNodeStatus(input(['no pod CIDR']), undefined, 0)
  assert.deepEqual(ready(before), {
    type: 'Ready',
    status: 'False',
    reason: 'KubeletNotReady',
    message: 'no pod CIDR',
    lastHeartbeatTime: '1970-01-01T00:00:00Z',
    lastTransitionTime: '1970-01-01T00:00:00Z',
  })
  const after = planNodeStatus(input([]), before, 10_000)
  assert.deepEqual([ready(after)?.status, ready(after)?.lastTransitionTime], ['True', '1970-01-01T00:00:10Z'])
  const later = planNodeStatus(input([]), after, 20_000)
  assert.deepEqual(
    [ready(later)?.lastHeartbeatTime, ready(later)?.lastTransitionTime],
    ['1970-01-01T00:00:20Z', '1970-01-01T00:00:10Z'],
  )
})

test('what is told again: not the time alone, and not what others say of the node', () => {
  const told = planNodeStatus(input([]), undefined, 0)
  const network = { type: 'NetworkUnavailable', status: 'False', lastHeartbeatTime: '1970-01-01T00:00:05Z' }
  const held = { ...told, images: [], conditions: [network, ...told.conditions!] }
  assert.equal(saysTheSame(planNodeStatus(input([]), held, 60_000), held), true)
  assert.equal(saysTheSame(planNodeStatus(input(['no pod CIDR']), held, 60_000), held), false)
  assert.equal(saysTheSame(planNodeStatus({ ...input([]), ips: ['10.168.0.9'] }, held, 0), held), false)
  assert.equal(saysTheSame(told, undefined), false)
})

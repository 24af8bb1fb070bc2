import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { addMember, newCluster, removeMember, requireMember, updateMember } from '#lab/cluster.ts'
import { defaultOptions } from '#lab/options.ts'
import { nodesOf, planCluster } from '#lab/plan.ts'

const shown = ({ members }: ReturnType<typeof newCluster>) => members.map(({ name, place }) => `${name} ${place}`)
const three = newCluster(defaultOptions, 3)

test('nodes are numbered, and a free number and place are used again', () => {
  assert.deepEqual(shown(three), ['node-1 2', 'node-2 3', 'node-3 4'])
  const without = removeMember(three, 'node-2')
  assert.deepEqual(shown(without), ['node-1 2', 'node-3 4'])
  assert.deepEqual(shown(addMember(without)), ['node-1 2', 'node-3 4', 'node-2 3'])
  assert.deepEqual(shown(addMember(without, 'worker-a')), ['node-1 2', 'node-3 4', 'worker-a 3'])
})

test('a node without power keeps its place, and is not there', () => {
  const off = updateMember(three, 'node-1', { power: 'off' })
  assert.deepEqual(
    nodesOf(planCluster(off)).map(({ name, ip }) => `${name} ${ip}`),
    ['node-2 10.168.0.3', 'node-3 10.168.0.4'],
  )
  assert.deepEqual(shown(addMember(off)).at(-1), 'node-4 5')
})

test('links of nodes with long names fit into 15 characters', () => {
  const long = addMember(three, 'a-rather-long-name-for-a-node')
  const links = nodesOf(planCluster(long)).map(({ link }) => link)
  assert.deepEqual(links.slice(0, 3), ['node-1', 'node-2', 'node-3'])
  assert.match(links[3]!, /^a-rather-[0-9a-f]{6}$/)
})

for (const [what, act, message] of [
  ['a name twice', () => addMember(three, 'node-2'), /there is a node "node-2" already/],
  ['a name with capitals', () => addMember(three, 'Node'), /no node can be called "Node"/],
  ['the name of another part', () => addMember(three, 'control-plane'), /no node can be called "control-plane"/],
  ['an unknown node', () => requireMember(three, 'node-9'), /has no node "node-9"/],
  ['more than fit on a machine', () => newCluster(defaultOptions, 51), /has no room for more than 50 nodes$/],
  [
    'more than the pod network has room for',
    () => newCluster({ ...defaultOptions, podCidr: '10.244.0.0/22' }, 5),
    /no room for more than 4 nodes: each takes a \/24 of the pod network 10.244.0.0\/22/,
  ],
] as const)
  test(`nodes: ${what}`, () => assert.throws(act, message))

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Pool, planPodCidrs, usualPrefix } from '#controllers/node-ipam/plan.ts'
import { parseCidr } from '#lib/cidr.ts'
import { at, node } from '#test/stored-objects.ts'

const pool = (text: string, nodePrefix?: number): Pool => {
  const cidr = parseCidr(text)!
  return { cidr, nodePrefix: nodePrefix ?? usualPrefix(cidr) }
}
const named = (name: string, age = 0, podCIDRs: readonly string[] = []) =>
  node(name, {
    metadata: { creationTimestamp: at(-age) },
    spec: podCIDRs.length > 0 ? { podCIDR: podCIDRs[0], podCIDRs } : {},
  })

function told(nodes: Parameters<typeof planPodCidrs>[0], ...pools: Pool[]): string[] {
  return planPodCidrs(nodes, pools).acts.map((act) => {
    if (act.kind === 'event') return act.message
    const { spec } = (act.kind === 'patch' ? act.patch : {}) as { spec: { podCIDR: string; podCIDRs: string[] } }
    assert.equal(spec.podCIDR, spec.podCIDRs[0])
    return `${act.kind === 'patch' && act.target.name} ${spec.podCIDRs.join(' ')}`
  })
}

const cases: readonly (readonly [string, Parameters<typeof planPodCidrs>[0], readonly Pool[], readonly string[]])[] = [
  ['the first node', [named('node-1')], [pool('10.244.0.0/16')], ['node-1 10.244.0.0/24']],
  [
    'in the order of registration, then by name',
    [named('node-c'), named('node-b'), named('node-a', 60), named('node-z', 120)].reverse(),
    [pool('10.244.0.0/16')],
    ['node-z 10.244.0.0/24', 'node-a 10.244.1.0/24', 'node-b 10.244.2.0/24', 'node-c 10.244.3.0/24'],
  ],
  [
    'what others have is taken',
    [named('a', 9, ['10.244.0.0/24']), named('b')],
    [pool('10.244.0.0/16')],
    ['b 10.244.1.0/24'],
  ],
  [
    'the gap that a node left',
    [named('a', 9, ['10.244.1.0/24']), named('b')],
    [pool('10.244.0.0/16')],
    ['b 10.244.0.0/24'],
  ],
  [
    'a wider range of a node',
    [named('a', 9, ['10.244.0.0/23']), named('b')],
    [pool('10.244.0.0/16')],
    ['b 10.244.2.0/24'],
  ],
  [
    'a range of another pool',
    [named('a', 9, ['10.1.0.0/24']), named('b')],
    [pool('10.244.0.0/16')],
    ['b 10.244.0.0/24'],
  ],
  [
    'two families',
    [named('a'), named('b')],
    [pool('10.244.0.0/16'), pool('fd00:10:244::/56')],
    ['a 10.244.0.0/24 fd00:10:244::/64', 'b 10.244.1.0/24 fd00:10:244:1::/64'],
  ],
  [
    'no room',
    [named('a'), named('b'), named('c')],
    [pool('10.244.0.0/23')],
    ['a 10.244.0.0/24', 'b 10.244.1.0/24', 'Node c status is now: CIDRNotAvailable'],
  ],
  ['smaller parts', [named('a'), named('b')], [pool('10.244.0.0/24', 26)], ['a 10.244.0.0/26', 'b 10.244.0.64/26']],
  ['all have theirs', [named('a', 0, ['10.244.0.0/24'])], [pool('10.244.0.0/16')], []],
  ['on its way out', [node('a', { metadata: { deletionTimestamp: at(0) } })], [pool('10.244.0.0/16')], []],
]

test('pod CIDRs', () => {
  for (const [name, nodes, pools, want] of cases) assert.deepEqual(told(nodes, ...pools), want, name)
})

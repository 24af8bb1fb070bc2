import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { planTable, textOf } from '#flannel/masquerade/nftables-form.ts'
import type { RulesInput } from '#flannel/masquerade/rules.ts'

const input: RulesInput = {
  family: 4,
  network: '10.244.0.0/16',
  subnet: '10.244.1.0/24',
  suffix: '',
  masquerade: true,
  randomFully: true,
  forward: true,
  isolateFrom: ['10.245.0.0/17'],
}

test('nftables: the same rules as in iptables, in tables of flannel', () => {
  assert.equal(
    textOf(planTable(input)),
    `table ip flannel-ipv4  # pod network 10.244.0.0/16

chain postrtg  nat, postrouting, priority 100, policy accept  # pods talk to the world by the address of the node
  (mark & 0x4000) == 0x4000; return
  ip saddr/24 == 0x0af401; ip daddr/16 == 0x0af4; return
  ip saddr/16 == 0x0af4; ip daddr/24 == 0x0af401; return
  ip saddr/16 != 0x0af4; ip daddr/24 == 0x0af401; return
  ip saddr/16 == 0x0af4; (ip daddr & 240.0.0.0) != 224.0.0.0; masquerade fully random
  ip saddr/16 != 0x0af4; ip daddr/16 == 0x0af4; masquerade fully random

chain forward  filter, forward, priority 0, policy accept  # what is from or to pods
  ip saddr/16 == 0x0af4; (ip daddr & 255.255.128.0) == 10.245.0.0; drop
  (ip saddr & 255.255.128.0) == 10.245.0.0; ip daddr/16 == 0x0af4; drop
  ip saddr/16 == 0x0af4; accept
  ip daddr/16 == 0x0af4; accept
`,
  )
})

test('nftables: only what is wanted; another network has a table of its own', () => {
  const some = { ...input, masquerade: false, isolateFrom: [] }
  assert.deepEqual(
    planTable(some).chains.map(({ name }) => name),
    ['forward'],
  )
  assert.deepEqual(planTable({ ...some, forward: false }).chains, [])
  const v6 = planTable({ ...input, family: 6, network: 'fd00::/56', subnet: 'fd00:1::/64', suffix: '-0badcafe' })
  assert.equal(v6.name, 'flannel-ipv6-0badcafe')
  assert.match(textOf(planTable({ ...input, randomFully: false })), /; masquerade\n/)
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { listingOf, planChains, renderRemoval, renderRestore } from '#flannel/masquerade/iptables-form.ts'
import type { RulesInput } from '#flannel/masquerade/rules.ts'

const input: RulesInput = {
  family: 4,
  network: '10.244.0.0/16',
  subnet: '10.244.1.0/24',
  suffix: '',
  masquerade: true,
  randomFully: true,
  forward: true,
  isolateFrom: [],
}

test('masquerade: the rules that flannel itself writes', () => {
  assert.equal(
    renderRestore(planChains(input)[0]!, false),
    `*nat
:FLANNEL-POSTRTG - [0:0]
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
COMMIT
`,
  )
  const v6Input = { ...input, family: 6, network: 'fd00::/56', subnet: 'fd00:1::/64', randomFully: false } as const
  const v6 = planChains(v6Input)[0]!
  assert.match(renderRestore(v6, true), /! -d ff00::\/8 -m comment --comment "flanneld masq" -j MASQUERADE\n/)
  assert.doesNotMatch(renderRestore(v6, true), /-A POSTROUTING/)
})

test('forwarding: what is from or to pods', () => {
  assert.equal(
    listingOf(planChains(input)[1]!),
    `-N FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
  )
})

test('taken away: the jumps, then the chain; what others wrote stays', () => {
  const saved = `*nat
:POSTROUTING ACCEPT [0:0]
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -j RETURN
COMMIT
`
  assert.equal(
    renderRemoval('nat', saved),
    `*nat
-D POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-F FLANNEL-POSTRTG
-X FLANNEL-POSTRTG
COMMIT
`,
  )
  assert.equal(renderRemoval('filter', saved), undefined)
  assert.equal(renderRemoval('nat', saved, '-0badcafe'), undefined, 'of another network on the same node')
})

test('several networks on a node: each has chains of its own', () => {
  const [masquerading, , wall] = planChains({ ...input, suffix: '-0badcafe', isolateFrom: ['10.245.0.0/16'] })
  assert.match(renderRestore(masquerading!, false), /-A POSTROUTING .* -j FLANNEL-POSTRTG-0badcafe\n/)
  assert.equal(
    renderRestore(wall!, false),
    `*filter
:FLANNEL-WALL-0badcafe - [0:0]
-A FLANNEL-WALL-0badcafe -s 10.244.0.0/16 -d 10.245.0.0/16 -m comment --comment "flanneld wall" -j DROP
-A FLANNEL-WALL-0badcafe -s 10.245.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld wall" -j DROP
-I FORWARD -m comment --comment "flanneld wall" -j FLANNEL-WALL-0badcafe
COMMIT
`,
  )
  const saved = `*filter
:FLANNEL-FWD - [0:0]
:FLANNEL-WALL-0badcafe - [0:0]
-A FORWARD -m comment --comment "flanneld wall" -j FLANNEL-WALL-0badcafe
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
COMMIT
`
  assert.match(renderRemoval('filter', saved)!, /-X FLANNEL-FWD\n-X FLANNEL-WALL-0badcafe\n/)
  assert.doesNotMatch(renderRemoval('filter', saved, '')!, /WALL/)
})

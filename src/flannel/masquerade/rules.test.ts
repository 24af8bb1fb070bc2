import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardChain, listingOf, masqueradeChain, renderRemoval, renderRestore } from '#flannel/masquerade/rules.ts'

const input = { family: 4, network: '10.244.0.0/16', subnet: '10.244.1.0/24', randomFully: true } as const

test('masquerade: the rules that flannel itself writes', () => {
  assert.equal(
    renderRestore(masqueradeChain(input), false),
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
  const v6 = masqueradeChain({ family: 6, network: 'fd00::/56', subnet: 'fd00:1::/64', randomFully: false })
  assert.match(renderRestore(v6, true), /! -d ff00::\/8 -m comment --comment "flanneld masq" -j MASQUERADE\n/)
  assert.doesNotMatch(renderRestore(v6, true), /-A POSTROUTING/)
})

test('forwarding: what is from or to pods', () => {
  assert.equal(
    listingOf(forwardChain('10.244.0.0/16')),
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
})

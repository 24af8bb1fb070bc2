// Everything of nftables read back as values, whoever wrote it: ours, `nft`, iptables.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { NftBatch } from '#kernel/nftables/batch.ts'
import * as e from '#kernel/nftables/expression.ts'
import { indexSet } from '#kernel/nftables/find-element.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { parseRulesetJson, renderRulesetJson } from '#kernel/nftables/ruleset-json.ts'
import { tableText } from '#kernel/nftables/table-text.ts'
import { need } from '#test/need.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const skip = need({ root: true, programs: ['nft', 'iptables-nft'] })

test('ruleset: each instruction that we write is read as it was written', { skip }, () => {
  using kernel = openNftables(4)
  const batch = new NftBatch(4, 'read-back')
  batch.addTable('a table')
  batch.addSet({ name: 'map', key: ['ipv4', 'port'], data: ['number'], comment: 'a map' })
  batch.addSet({ name: 'verdicts', key: ['number'], data: 'verdict' })
  batch.addSet({ name: 'memory', key: ['ipv4'], data: ['number'], dynamic: { timeoutMs: 9000 }, size: 50 })
  batch.addChain('last', { comment: 'the last one' })
  batch.addElement('map', bytes(10, 0, 0, 1, 0, 80, 0, 0), { data: e.hostNumber(7) })
  batch.addElement('verdicts', e.hostNumber(7), { data: { kind: 'goto', chain: 'last' } })
  batch.addChain('entry', { base: { type: 'nat', hook: 'output', priority: -90 } })
  batch.addRule(
    'entry',
    [
      e.payload(0, 'network', 16, 4),
      e.payload(1, 'transport', 2, 2),
      e.lookup('map', 0, { to: 2 }),
      e.lookup('verdicts', 2, { toVerdict: true }),
    ],
    'a rule',
  )
  batch.addRule('last', [
    e.addressType(3, 'destination'),
    e.compare(3, true, e.localAddressType),
    e.randomNumber(1, 3, 5),
    e.load(0, bytes(1, 2, 3, 4)),
    e.changeSet('memory', 'add', 0, { data: 1, timeoutMs: 5000 }),
    e.load(2, bytes(0, 80, 0, 0)),
    e.destinationNat(4, 0, 2),
  ])
  kernel.commit(batch)
  const ruleset = readRuleset({ table: 'read-back' })
  assert.equal(ruleset.torn, false)
  const [table] = ruleset.tables
  assert.ok(table)
  assert.deepEqual([table.family, table.comment, table.dormant], ['ip', 'a table', false])
  const entry = table.chains.find(({ name }) => name === 'entry')!
  assert.deepEqual(entry.base, { type: 'nat', hook: 'output', priority: -90, policy: 'accept' })
  assert.equal(entry.rules[0]!.comment, 'a rule')
  assert.deepEqual(entry.rules[0]!.code, [
    { kind: 'payload', to: 0, at: { base: 'network', offset: 16, length: 4 } },
    { kind: 'payload', to: 1, at: { base: 'transport', offset: 2, length: 2 } },
    { kind: 'lookup', set: 'map', key: 0, to: 2, inverted: false },
    { kind: 'lookup', set: 'verdicts', key: 2, to: 'verdict', inverted: false },
  ])
  const last = table.chains.find(({ name }) => name === 'last')!
  assert.equal(last.comment, 'the last one')
  assert.deepEqual(last.rules[0]!.code, [
    { kind: 'fib', to: 3, result: 'type', by: ['daddr'], isPresent: false },
    { kind: 'compare', register: 3, is: '==', value: bytes(2, 0, 0, 0) },
    { kind: 'number', to: 1, below: 3, random: true, offset: 5 },
    { kind: 'immediate', to: 0, value: bytes(1, 2, 3, 4) },
    { kind: 'change-set', set: 'memory', act: 'add', key: 0, data: 1, timeoutMs: 5000, inverted: false },
    { kind: 'immediate', to: 2, value: bytes(0, 80, 0, 0) },
    // what the kernel adds by itself: from and to the same register
    { kind: 'nat', type: 'dnat', family: 'ip', address: 0, addressEnd: 0, port: 2, portEnd: 2, flags: 3 },
  ])
  const map = table.sets.find(({ name }) => name === 'map')!
  assert.deepEqual([map.comment, map.key, map.keyLengths, map.data], ['a map', ['ipv4', 'port'], [4, 4], ['number']])
  assert.deepEqual(indexSet(map)(bytes(10, 0, 0, 1, 0, 80, 0, 0))?.data, bytes(7, 0, 0, 0))
  const verdicts = table.sets.find(({ name }) => name === 'verdicts')!
  assert.deepEqual(verdicts.elements[0]!.verdict, { kind: 'goto', chain: 'last' })
  assert.deepEqual(parseRulesetJson(renderRulesetJson(ruleset)), ruleset)
  assert.equal(parseRulesetJson('{"tables":[]}'), undefined)
  assert.equal(parseRulesetJson('-A INPUT -j ACCEPT'), undefined)
})

const foreign = `
table inet firewall {
  set allowed { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1 } }
  map ports { type inet_service : verdict; elements = { 22 : accept, 23 : drop } }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
    meta nfproto ipv4 ip saddr @allowed tcp dport vmap @ports
    tcp dport { 80, 443 } ct state new limit rate 5/second counter accept
    ip6 saddr fd00::/8 udp dport 1000-2000 log prefix "odd " jump odd
    meta mark and 0xff == 0x1 meta mark set meta mark or 0x100
    fib daddr type local reject with icmpx port-unreachable
  }
  chain odd { return; }
}
table ip nat {
  chain post { type nat hook postrouting priority srcnat; ip saddr 10.0.0.0/8 masquerade fully-random; }
  chain pre { type nat hook prerouting priority dstnat; ip daddr 192.0.2.1 tcp dport 80 dnat to 10.0.0.5:8080; }
}`

test('ruleset: what others wrote, in words', { skip }, () => {
  execFileSync('nft', ['flush', 'ruleset'])
  execFileSync('nft', ['-f', '-'], { input: foreign })
  execFileSync('iptables-nft', '-A INPUT -p tcp -m statistic --mode random --probability 0.5 -j REJECT'.split(' '))
  const { tables } = readRuleset()
  const text = tables.map(tableText).join('\n')
  for (const line of [
    'table inet firewall',
    'chain input  filter, input, priority 0, policy drop',
    '(ct state & established,related) != 0; accept',
    'iifname == "lo"; accept',
    'ip saddr in allowed; l4proto == tcp; do ports[dport]',
    'limit to 5 packets in 1 s; counter 0 packets 0 bytes; accept',
    'log "odd "; jump odd',
    'mark = mark | 0x100',
    'type of daddr == local; reject with icmpx 1',
    'masquerade fully random',
    'ip daddr == 192.0.2.1; l4proto == tcp; dport == 80; dnat to 10.0.0.5 : 8080',
    'iptables match statistic',
    'iptables target REJECT',
    'ip saddr/8 == 0x0a',
    '  10.0.0.0-10.255.255.255\n  192.0.2.1\n',
    '  22 : accept\n  23 : drop\n',
  ])
    assert.ok(text.includes(line), `${line}\n${text}`)
  const code = tables.flatMap(({ chains }) => chains.flatMap(({ rules }) => rules.flatMap((rule) => rule.code)))
  assert.deepEqual(
    code.filter(({ kind }) => kind === 'other'),
    [],
  )
})

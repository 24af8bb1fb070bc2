import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { isList, parseList } from '#kernel/iptables/list.ts'
import { renderRule } from '#kernel/iptables/render-rule.ts'

const head = ' pkts bytes target     prot opt in     out     source               destination\n'

/** A listed line, and the same rule as iptables-save prints it. */
const rows: [line: string, want: string][] = [
  [
    '    0     0 DNAT       17   --  *      *       0.0.0.0/0            0.0.0.0/0            multiport dports  !80,443 ctorigdst 10.96.1.1 to:10.244.0.1',
    '-p 17 -m multiport ! --dports 80,443 -m conntrack --ctorigdst 10.96.1.1 -j DNAT --to-destination 10.244.0.1',
  ],
  [
    '    0     0 SUB-1      0    --  *      *       0.0.0.0/0            0.0.0.0/0           [goto]  connmark match  ! 0x7 source IP range 10.0.0.1-10.0.0.9',
    '-m connmark ! --mark 0x7 -m iprange --src-range 10.0.0.1-10.0.0.9 -g SUB-1',
  ],
  [
    '    0     0            0    --  *      *       0.0.0.0/0            0.0.0.0/0            PKTTYPE = unicast length 1:1000 ! match-set nets src',
    '-m pkttype --pkt-type unicast -m length --length 1:1000 -m set ! --match-set nets src',
  ],
  [
    '    0     0 CONNMARK   0    --  *      *       0.0.0.0/0            0.0.0.0/0            state NEW ctdir REPLY CONNMARK save',
    '-m state --state NEW -m conntrack --ctdir REPLY -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
  ],
  [
    ' 7935  617K KUBE-SERVICES  all  --  *      *       0.0.0.0/0            0.0.0.0/0            /* kubernetes service portals */',
    '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  ],
  [
    '    0     0 KUBE-SERVICES  tcp  --  *      *      !10.244.0.0/16        10.110.244.138       /* default/clusteripservice cluster IP */ tcp dpt:8080',
    '! -s 10.244.0.0/16 -d 10.110.244.138/32 -p tcp -m comment --comment "default/clusteripservice cluster IP" -m tcp --dport 8080 -j KUBE-SERVICES',
  ],
  [
    '    0     0 DNAT       udp  --  *      *       0.0.0.0/0            0.0.0.0/0            /* kube-system/kube-dns:dns */ udp to:10.244.0.3:53',
    '-p udp -m comment --comment "kube-system/kube-dns:dns" -m udp -j DNAT --to-destination 10.244.0.3:53',
  ],
  [
    '  831 50719 RETURN     all  --  *      *       0.0.0.0/0            0.0.0.0/0            mark match ! 0x4000/0x4000',
    '-m mark ! --mark 0x4000/0x4000 -j RETURN',
  ],
  [
    '    0     0 MARK       all  --  *      *       0.0.0.0/0            0.0.0.0/0            MARK xor 0x4000',
    '-j MARK --set-xmark 0x4000/0x0',
  ],
  [
    '    0     0 MARK       all  --  *      *       0.0.0.0/0            0.0.0.0/0            MARK or 0x4000',
    '-j MARK --set-xmark 0x4000/0x4000',
  ],
  [
    '    0     0 KUBE-SERVICES  all  --  *      *       0.0.0.0/0            0.0.0.0/0            /* a/b */ statistic mode random probability 0.33333333349',
    '-m comment --comment "a/b" -m statistic --mode random --probability 0.33333333349 -j KUBE-SERVICES',
  ],
  [
    '  636 38560 KUBE-SERVICES  all  --  *      *       0.0.0.0/0            0.0.0.0/0            ADDRTYPE match dst-type LOCAL',
    '-m addrtype --dst-type LOCAL -j KUBE-SERVICES',
  ],
  [
    ' 1272 76464 MASQUERADE  all  --  *      *       10.244.0.0/16       !224.0.0.0/4          random-fully',
    '-s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully',
  ],
  [
    '    0     0 REJECT     tcp  --  eth0   *       0.0.0.0/0            10.96.0.5            /* default/x has no endpoints */ tcp dpt:80 reject-with icmp-port-unreachable',
    '-d 10.96.0.5/32 -i eth0 -p tcp -m comment --comment "default/x has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
  ],
  [
    '    0     0            all  --  *      *       10.1.2.3             0.0.0.0/0            ctstate RELATED,ESTABLISHED',
    '-s 10.1.2.3/32 -m conntrack --ctstate RELATED,ESTABLISHED',
  ],
  [
    '    0     0 KUBE-SERVICES  all  --  *      *       0.0.0.0/0            0.0.0.0/0            recent: CHECK seconds: 10800 reap name: KUBE-SEP-A side: source mask: 255.255.255.255',
    '-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource -j KUBE-SERVICES',
  ],
]

test('list: each line is the rule that iptables-save would print', () => {
  for (const [line, want] of rows) {
    const text = `Chain KUBE-SERVICES (2 references)\n${head}${line}\n`
    assert.ok(isList(text))
    const rule = parseList(text)[0]?.rules[0]
    assert.ok(rule, line)
    // A bare `udp` match is not told from the protocol's column.
    assert.equal(renderRule(rule), want.replace(' -m udp -j DNAT', ' -j DNAT'), line)
  }
})

test('list: chains, policies, counters, line numbers', () => {
  const text = `$ sudo iptables -L -v -n -t nat
Chain PREROUTING (policy ACCEPT 2 packets, 627 bytes)
${head} 7935  617K MARK_IT  all  --  *      *       0.0.0.0/0            0.0.0.0/0

Chain MARK_IT (1 references)
${head}    0     0 MARK       all  --  *      *       0.0.0.0/0            0.0.0.0/0            MARK set 0x1
`
  const [first, second] = parseList(text)
  assert.deepEqual([first!.name, first!.policy, first!.counters], ['PREROUTING', 'ACCEPT', { packets: 2, bytes: 627 }])
  assert.deepEqual(first!.rules[0]!.counters, { packets: 7935, bytes: 617_000 })
  assert.deepEqual(first!.rules[0]!.target, { kind: 'jump', chain: 'MARK_IT' })
  assert.deepEqual([first!.lines, second!.lines], [[4], [8]])
  assert.deepEqual(second!.rules[0]!.target, { kind: 'mark', mark: { value: 1, mask: 0xffffffff } })
})

test('list: numbered rules without a target', () => {
  const text = `Chain FORWARD (policy ACCEPT 0 packets, 0 bytes)
num   pkts bytes target     prot opt in     out     source               destination
1        0     0            0    --  *      *       0.0.0.0/0            0.0.0.0/0            PHYSDEV match --physdev-is-in
2        7   420 REJECT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            PHYSDEV match ! --physdev-in to-a reject-with icmp-host-prohibited
`
  assert.deepEqual(parseList(text)[0]!.rules.map(renderRule), [
    '-m physdev --physdev-is-in',
    '-p 6 -m physdev ! --physdev-in to-a -j REJECT --reject-with icmp-host-prohibited',
  ])
})

test('list: what is not known is kept', () => {
  const line =
    '    0     0 DROP       tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp flags:0x17/0x02 TTL match TTL == 5'
  const rule = parseList(`Chain INPUT (policy DROP 0 packets, 0 bytes)\n${head}${line}\n`)[0]!.rules[0]!
  assert.deepEqual(rule.target, { kind: 'verdict', verdict: 'DROP' })
  assert.equal(rule.matches[0]?.kind, 'other')
})

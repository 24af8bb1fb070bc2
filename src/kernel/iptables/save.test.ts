import * as assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseRule } from '#kernel/iptables/parse-rule.ts'
import { renderRule } from '#kernel/iptables/render-rule.ts'
import { commentOf, type Rule } from '#kernel/iptables/rule.ts'
import { parseSave, renderSave, SaveFormatError } from '#kernel/iptables/save.ts'
import { quoteWord, splitWords } from '#kernel/iptables/words.ts'

const rules: readonly (readonly [name: string, text: string, want: Partial<Rule>])[] = [
  ['nothing at all', '', { matches: [] }],
  ['a jump', '-j KUBE-SERVICES', { target: { kind: 'jump', chain: 'KUBE-SERVICES' } }],
  ['a goto', '-g elsewhere', { target: { kind: 'goto', chain: 'elsewhere' } }],
  [
    'addresses, interfaces, protocol',
    '! -s 127.0.0.0/8 -d fd00::1/128 ! -i veth+ -o eth0 -p tcp -j ACCEPT',
    {
      source: { value: '127.0.0.0/8', not: true },
      destination: { value: 'fd00::1/128' },
      inInterface: { value: 'veth+', not: true },
      outInterface: { value: 'eth0' },
      protocol: { value: 'tcp' },
    },
  ],
  ['fragments', '! -f -j DROP', { fragment: { value: true, not: true } }],
  [
    'a comment with quotes',
    String.raw`-m comment --comment "say \"no\" to \\ and \'"`,
    { matches: [{ kind: 'comment', text: String.raw`say "no" to \ and '` }] },
  ],
  ['a bare comment', '-m comment --comment web', { matches: [{ kind: 'comment', text: 'web' }] }],
  [
    'ports',
    '-p udp -m udp --sport 1024:65535 ! --dport 53',
    {
      matches: [
        { kind: 'ports', protocol: 'udp', source: { value: '1024:65535' }, destination: { value: '53', not: true } },
      ],
    },
  ],
  [
    'connection states',
    '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    { matches: [{ kind: 'conntrack', states: { value: ['RELATED', 'ESTABLISHED', 'DNAT'], not: true } }] },
  ],
  [
    'a mark',
    '-m mark ! --mark 0x4000/0x4000 -j MARK --set-xmark 0x4000/0x0',
    {
      matches: [{ kind: 'mark', mark: { value: { value: 0x4000, mask: 0x4000 }, not: true } }],
      target: { kind: 'mark', mark: { value: 0x4000, mask: 0 } },
    },
  ],
  [
    'a whole mark',
    '-m mark --mark 0x1',
    { matches: [{ kind: 'mark', mark: { value: { value: 1, mask: 0xffffffff } } }] },
  ],
  [
    'chance',
    '-m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A',
    { matches: [{ kind: 'random', probability: { value: 0.33333333349 } }] },
  ],
  [
    'recent',
    '-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource -j KUBE-SEP-A',
    {
      matches: [
        {
          kind: 'recent',
          action: { value: 'rcheck' },
          seconds: 10800,
          reap: true,
          name: 'KUBE-SEP-A',
          mask: '255.255.255.255',
          side: 'rsource',
        },
      ],
    },
  ],
  ['a counter', '-m nfacct --nfacct-name  drops -j DROP', { matches: [{ kind: 'nfacct', name: 'drops' }] }],
  [
    'an ipset',
    '-m set ! --match-set KUBE-CLUSTER-IP dst,dst -j RETURN',
    { matches: [{ kind: 'set', name: { value: 'KUBE-CLUSTER-IP', not: true }, sides: 'dst,dst' }] },
  ],
  [
    'address types',
    '-m addrtype ! --src-type LOCAL --dst-type LOCAL -j RETURN',
    { matches: [{ kind: 'addrtype', source: { value: 'LOCAL', not: true }, destination: { value: 'LOCAL' } }] },
  ],
  ['masquerade', '-j MASQUERADE --random-fully', { target: { kind: 'masquerade', randomFully: true } }],
  ['dnat', '-j DNAT --to-destination [fd00::1]:80', { target: { kind: 'dnat', to: '[fd00::1]:80' } }],
  [
    'snat',
    '-j SNAT --to-source 10.0.0.1 --random-fully',
    { target: { kind: 'snat', to: '10.0.0.1', randomFully: true } },
  ],
  [
    'an unknown match',
    '-m limit --limit 5/min --limit-burst 5 -j LOG --log-prefix "a b: "',
    {
      matches: [{ kind: 'other', name: 'limit', words: ['--limit', '5/min', '--limit-burst', '5'] }],
      target: { kind: 'other', name: 'LOG', words: ['--log-prefix', 'a b: '] },
    },
  ],
  [
    'a known match with an unknown option',
    '-m conntrack --ctstate NEW --ctdir ORIGINAL',
    { matches: [{ kind: 'other', name: 'conntrack', words: ['--ctstate', 'NEW', '--ctdir', 'ORIGINAL'] }] },
  ],
  [
    'a flag that takes no word',
    '-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
    {
      matches: [{ kind: 'other', name: 'tcp', words: ['--tcp-flags', 'SYN,RST', 'SYN'] }],
      target: { kind: 'other', name: 'TCPMSS', words: ['--clamp-mss-to-pmtu'] },
    },
  ],
]

for (const [name, text, want] of rules)
  test(`rule: ${name}`, () => {
    const rule = parseRule(text)
    assert.ok(rule)
    assert.deepEqual({ ...rule, ...want }, rule)
    assert.equal(renderRule(rule), text)
  })

test('rule: a target without options is a chain only where the table has that chain', () => {
  assert.deepEqual(parseRule('-j NOTRACK', () => false)?.target, { kind: 'other', name: 'NOTRACK', words: [] })
})

test('words: quoting survives splitting', () => {
  for (const text of ['', 'plain', 'a b', 'a"b', String.raw`back\slash`, "it's", 'déjà vu', '-j', '"'])
    assert.deepEqual(splitWords(`--comment ${quoteWord(text)} -j X`), ['--comment', text, '-j', 'X'])
})

test('dump: what iptables-save wrote comes back as it was', () => {
  for (const file of globSync('src/**/testdata/*.save')) {
    const text = readFileSync(file, 'utf8')
    assert.equal(renderSave(parseSave(text)), text.replaceAll(/^#.*\n/gm, ''), file)
  }
})

test('dump: counters, policies, empty rules', () => {
  const text = '*filter\n:INPUT DROP [12:3456]\n:mine - [0:0]\n[7:420] -A INPUT -j mine\n[0:0] -A mine\nCOMMIT\n'
  const [table] = parseSave(text)
  assert.deepEqual(table?.chains[0]?.rules[0]?.counters, { packets: 7, bytes: 420 })
  assert.equal(table?.chains[0]?.policy, 'DROP')
  assert.equal(commentOf(table!.chains[0]!.rules[0]!), '')
  assert.equal(renderSave(parseSave(text)), text)
})

test('dump: a line that does not belong is named', () => {
  for (const [text, line] of [
    ['-A INPUT -j DROP\n', 1],
    ['*nat\nhello\n', 2],
    ['*nat\n:A - [0:0]\n-A B -j DROP\n', 3],
  ] as const)
    assert.throws(
      () => parseSave(text),
      (error) => error instanceof SaveFormatError && error.code === 'SaveFormat' && error.line === line,
    )
})

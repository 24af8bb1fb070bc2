// Random rules for one address each, in the words of iptables and of nftables, that use whatever a tracer claims to
// understand. Whether they match is left to chance; the kernel says what they do.
import type { Random } from '#test/random.ts'

/** Pods that answer on 8080 and not on 8081. */
const endpoints = ['10.244.0.11', '10.244.0.12', '10.244.1.11']
const target = (random: Random) => `${random.pick(endpoints)}:${random.pick(['8080', '8080', '8080', '8081'])}`

export const virtualIp = (i: number): string => `10.96.1.${i + 1}`

const not = (random: Random) => (random.next() < 0.25 ? '! ' : '')

/** Matches that hold at any hook. */
const anywhere: readonly ((random: Random) => string)[] = [
  (r) =>
    `${not(r)}-s ${r.pick(['10.168.0.0/24', '10.244.0.0/16', '10.168.0.100/32', '10.244.0.11', '0.0.0.0/0'])}`.replace(
      '! -s 0.0.0.0/0',
      '-s 0.0.0.0/0',
    ),
  (r) => `-p ${r.pick(['tcp', 'udp'])}`,
  (r) => `-m mark ${not(r)}--mark ${r.pick(['0x1/0x1', '0x4000/0x4000', '0x0', '0x2/0x3'])}`,
  (r) => `-m connmark ${not(r)}--mark ${r.pick(['0x0', '0x7', '0x1/0x1'])}`,
  (r) =>
    `-m conntrack ${not(r)}--ctstate ${r.pick(['NEW', 'ESTABLISHED,RELATED', 'INVALID', 'DNAT', 'NEW,UNTRACKED'])}`,
  (r) => `-m conntrack ${not(r)}--ctorigdst ${virtualIp(r.integer(0, 30))}`,
  (r) => `-m conntrack --ctdir ${r.pick(['ORIGINAL', 'REPLY'])}`,
  (r) => `-m state --state ${r.pick(['NEW', 'ESTABLISHED'])}`,
  (r) => `-m addrtype ${not(r)}--src-type ${r.pick(['LOCAL', 'UNICAST', 'BROADCAST'])}`,
  (r) => `-m addrtype ${not(r)}--dst-type ${r.pick(['LOCAL', 'UNICAST', 'MULTICAST'])}`,
  (r) => `-m iprange ${not(r)}--src-range ${r.pick(['10.168.0.2-10.168.0.101', '10.244.0.1-10.244.0.11'])}`,
  (r) =>
    `-m set ${not(r)}--match-set ${r.pick(['clients src', 'pairs dst,dst', 'nets src', 'ports dst', 'triples src,dst,dst'])}`,
  (r) => `-m comment --comment "${r.pick(['web', 'two words', 'Größe: 10 %', "it's", 'a, b'])}"`,
  (r) => `-m statistic --mode random ${not(r)}--probability ${r.pick(['0.5', '0.33333333349', '0.25'])}`,
  (r) => `-m pkttype --pkt-type ${r.pick(['unicast', 'broadcast'])}`,
  (r) => `-m length --length ${r.pick(['1:1000', '1001:65535'])}`,
  (r) => `-m conntrack ${not(r)}--ctstatus ${r.pick(['NONE', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED,EXPECTED'])}`,
  (r) =>
    `-m conntrack ${not(r)}${r.pick(['--ctorigsrc 10.244.0.0/16', '--ctreplsrc 10.244.0.0/24', '--ctrepldst 10.168.0.2', '--ctproto 17', '--ctorigdstport 1:100', '--ctreplsrcport 8080'])}`,
  (r) => `-m recent --${r.pick(['set', 'rcheck', 'update --seconds 60'])} --name ${r.pick(['one', 'two'])} --rsource`,
  (r) => `-m tos ${not(r)}--tos ${r.pick(['0x00/0xff', '0x10/0x3f'])}`,
  (r) => `-m dscp ${not(r)}--dscp ${r.pick(['0x00', '0x0a'])}`,
  (r) => `-m statistic --mode nth --every ${r.pick(['2', '3'])} --packet 0`,
  (r) => `-m limit --limit ${r.pick(['1/min', '1000/sec'])}`,
]
const withProtocol: readonly ((random: Random, protocol: string) => string)[] = [
  (r, p) => `-p ${p} -m ${p} ${not(r)}--dport ${r.pick(['80', '8080', '1:100', '8000:9000'])}`,
  (r, p) => `-p ${p} -m ${p} ${not(r)}--sport ${r.pick(['1:1023', '1024:65535'])}`,
  (r, p) => `-p ${p} -m multiport ${not(r)}--dports ${r.pick(['80,443', '8080,8081', '1:70,8080'])}`,
]
/** What refusals are. */
const ofRefusals: readonly ((random: Random) => string)[] = [
  (r) => `-p icmp -m icmp ${not(r)}--icmp-type ${r.pick(['3/3', '3', '3/10', '8'])}`,
  (r) => `-p tcp -m tcp --tcp-flags ${r.pick(['RST RST', 'RST,ACK RST,ACK', 'SYN,RST RST'])}`,
  () => '-m conntrack --ctstate RELATED',
  (r) => `-m conntrack --ctdir ${r.pick(['ORIGINAL', 'REPLY'])} -p ${r.pick(['icmp', 'tcp', 'udp'])}`,
]
const incoming = (r: Random) => `${not(r)}-i ${r.pick(['eth0', 'cni0', 'cni+', 'lo'])}`
const outgoing = (r: Random) => `${not(r)}-o ${r.pick(['eth0', 'cni0', 'e+', 'lo'])}`
const limited = (r: Random, side: 'in' | 'out') =>
  `-m addrtype ${not(r)}--${r.pick(['src', 'dst'])}-type ${r.pick(['LOCAL', 'UNICAST'])} --limit-iface-${side}`
const reversePath = (r: Random) =>
  `-m rpfilter ${['--loose', '--validmark', '--accept-local', '--invert'].filter(() => r.next() < 0.3).join(' ')}`
const owned = (r: Random) => `-m owner ${not(r)}--${r.pick(['uid-owner 0', 'gid-owner 0', 'uid-owner 1337'])}`
const bridged = (r: Random) => `-m physdev ${not(r)}--physdev-${r.pick(['is-bridged', 'is-in', 'in to-a'])}`

function matches(random: Random, hook: 'prerouting' | 'forward' | 'postrouting'): string {
  const words: string[] = []
  let protocol: string | undefined
  for (let n = random.integer(0, 2); n > 0; n--) {
    const choice = random.next()
    if (choice < 0.2 && protocol === undefined) {
      protocol = random.pick(['tcp', 'udp'])
      words.push(random.pick(withProtocol)(random, protocol))
    } else if (choice < 0.35 && hook !== 'postrouting') words.push(incoming(random))
    else if (choice < 0.5 && hook !== 'prerouting') words.push(outgoing(random))
    else if (choice < 0.55 && hook === 'forward') words.push(bridged(random))
    else if (choice < 0.6 && hook === 'postrouting')
      words.push(random.next() < 0.5 ? limited(random, 'out') : owned(random))
    else words.push(random.pick(anywhere)(random))
  }
  // One option of a kind is all that a rule can have.
  const flags = words.map((word) => /-[psio]\b/.exec(word)?.[0])
  return words.filter((_, i) => flags[i] === undefined || flags.indexOf(flags[i]) === i).join(' ')
}

const marks = ['--set-xmark 0x1/0x1', '--set-xmark 0x4000/0x4000', '--set-xmark 0x0/0xffffffff', '--set-xmark 0x2/0x0']

/** Rules for iptables-restore: what happens to packets for `count` addresses. */
export function randomIptables(random: Random, count: number): string {
  const nat: string[] = []
  const filter: string[] = []
  // A trace follows the first packet of a connection and what comes back of it: nothing happens to later ones.
  for (const chain of ['FORWARD', 'OUTPUT'])
    filter.push(
      `-A ${chain} -m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL -j ACCEPT`,
      `-A ${chain} -p tcp -m tcp --tcp-flags SYN,RST NONE -j ACCEPT`,
    )
  const mangle: string[] = []
  const raw: string[] = []
  const chains = { nat: [] as string[], filter: [] as string[] }
  const rule = (to: string[], chain: string, words: string, act: string) =>
    to.push(['-A', chain, words, act].filter((word) => word !== '').join(' '))
  for (let i = 0; i < count; i++) {
    const [pre, sub, forward, post, out] = [`PRE-${i}`, `SUB-${i}`, `FWD-${i}`, `POST-${i}`, `OUT-${i}`]
    chains.nat.push(pre, sub, post)
    chains.filter.push(forward, out)
    nat.push(`-A PREROUTING -d ${virtualIp(i)} -j ${pre}`, `-A OUTPUT -d ${virtualIp(i)} -j ${pre}`)
    nat.push(`-A POSTROUTING -m conntrack --ctorigdst ${virtualIp(i)} -j ${post}`)
    filter.push(`-A FORWARD -m conntrack --ctorigdst ${virtualIp(i)} -j ${forward}`)
    filter.push(`-A OUTPUT -m conntrack --ctorigdst ${virtualIp(i)} -j ${out}`)
    for (let n = random.integer(0, 2); n > 0; n--)
      rule(
        filter,
        out,
        random.pick(ofRefusals)(random),
        random.pick(['-j DROP', '-j ACCEPT', '-j RETURN', '-j REJECT --reject-with icmp-net-prohibited']),
      )
    if (random.next() < 0.3) mangle.push(`-A PREROUTING -d ${virtualIp(i)} -j MARK ${random.pick(marks)}`)
    const first = random.pick([limited(random, 'in'), reversePath(random), matches(random, 'prerouting')])
    const fate = random.pick([
      `MARK ${random.pick(marks)}`,
      'LOG',
      'DROP',
      'CONNMARK --set-xmark 0x7/0xffffffff',
      'RETURN',
    ])
    if (random.next() < 0.3) mangle.push(`-A PREROUTING -d ${virtualIp(i)} ${first} -j ${fate}`)
    if (random.next() < 0.2) mangle.push(`-A OUTPUT -d ${virtualIp(i)} ${owned(random)} -j MARK ${random.pick(marks)}`)
    if (random.next() < 0.2) {
      const state = random.pick(['', '', '-m conntrack --ctstate NEW', '-m conntrack --ctstate INVALID'])
      const chain = random.pick(['PREROUTING', 'PREROUTING', 'OUTPUT'])
      raw.push(
        `-A ${chain} -d ${virtualIp(i)} ${state} -j ${random.pick(['CT --notrack', 'DROP', 'MARK --set-xmark 0x1/0x1'])}`,
      )
    }
    for (let n = random.integer(1, 4); n > 0; n--) {
      const act = random.pick([
        `-j ${sub}`,
        `-g ${sub}`,
        '-j RETURN',
        `-j MARK ${random.pick(marks)}`,
        '-j CONNMARK --set-xmark 0x7/0xffffffff',
        '-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
        '',
      ])
      rule(nat, pre, matches(random, 'prerouting'), act)
    }
    rule(
      nat,
      sub,
      `${matches(random, 'prerouting')
        .replaceAll(/-p (tcp|udp)\b/g, '-p tcp')
        .replaceAll(/-m (tcp|udp)\b/g, '-m tcp')}`,
      `-j MARK ${random.pick(marks)}`,
    )
    for (const protocol of ['tcp', 'udp']) {
      nat.push(
        `-A ${sub} -p ${protocol} -m statistic --mode random --probability 0.5 -j DNAT --to-destination ${target(random)}`,
      )
      const to = random.pick([
        `DNAT --to-destination ${target(random)}`,
        `DNAT --to-destination ${target(random)}`,
        'DNAT --to-destination 10.244.0.11-10.244.0.12:8080',
        'DNAT --to-destination 10.244.0.11:8080-8081',
        'REDIRECT --to-ports 8080',
        'REDIRECT --to-ports 8080-8090',
        'REDIRECT',
      ])
      nat.push(`-A ${pre} -p ${protocol} -j ${to}`)
    }
    if (random.next() < 0.2) filter.push(`-A ${forward} -p tcp -j REJECT --reject-with tcp-reset`)
    for (let n = random.integer(0, 3); n > 0; n--)
      rule(
        filter,
        forward,
        random.next() < 0.2 ? random.pick(ofRefusals)(random) : matches(random, 'forward'),
        random.pick([
          '-j DROP',
          '-j REJECT',
          '-j REJECT --reject-with icmp-host-prohibited',
          '-j REJECT --reject-with icmp-net-unreachable',
          '-j REJECT --reject-with icmp-proto-unreachable',
          '-j REJECT --reject-with icmp-admin-prohibited',
          '-j ACCEPT',
          '-j RETURN',
        ]),
      )
    for (let n = random.integer(0, 3); n > 0; n--)
      rule(
        nat,
        post,
        matches(random, 'postrouting'),
        random.pick([
          '-j MASQUERADE',
          '-j MASQUERADE --random-fully',
          '-j RETURN',
          '-j SNAT --to-source 10.168.0.2',
          '-j SNAT --to-source 10.244.0.1',
        ]),
      )
  }
  const heads = (names: readonly string[]) => names.map((name) => `:${name} - [0:0]`)
  const table = (name: string, builtIn: readonly string[], own: readonly string[], rules: readonly string[]) =>
    [`*${name}`, ...builtIn.map((chain) => `:${chain} ACCEPT [0:0]`), ...heads(own), ...rules, 'COMMIT', ''].join('\n')
  return [
    table('raw', ['PREROUTING', 'OUTPUT'], [], raw),
    table('mangle', ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'], [], mangle),
    table('filter', ['INPUT', 'FORWARD', 'OUTPUT'], chains.filter, filter),
    table('nat', ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'], chains.nat, nat),
  ].join('')
}

const addresses6: readonly (readonly [RegExp, string])[] = [
  [/10\.96\.1\.(\d+)/g, 'fd00:96:1::$1'],
  [/10\.168\.0\.0\/24/g, 'fd00:168::/64'],
  [/10\.168\.0\.(\d+)/g, 'fd00:168::$1'],
  [/10\.244\.0\.0\/16/g, 'fd00:244::/32'],
  [/10\.244\.([01])\.0\/24/g, 'fd00:244:0:$1::/64'],
  [/10\.244\.0\.(\d+)/g, 'fd00:244::$1'],
  [/10\.244\.1\.(\d+)/g, 'fd00:244:0:1::$1'],
  [/0\.0\.0\.0\/0/g, '::/0'],
]
const words6: readonly (readonly [RegExp, string])[] = [
  [/-m set (! )?--match-set \S+ \S+/g, ''],
  [/\b(BROADCAST|MULTICAST)\b/g, 'UNICAST'],
  [/icmp-(host|net|admin)-prohibited/g, 'icmp6-adm-prohibited'],
  [/icmp-net-unreachable/g, 'icmp6-no-route'],
  [/icmp-proto-unreachable/g, 'icmp6-addr-unreachable'],
  [/-p icmp -m icmp (! )?--icmp-type 3\/\d+/g, '-p icmpv6 -m icmp6 $1--icmpv6-type 1/4'],
  [/-p icmp -m icmp (! )?--icmp-type \d+/g, '-p icmpv6 -m icmp6 $1--icmpv6-type 1'],
  [/-p icmp\b/g, '-p icmpv6'],
  [/--to-destination \S+-\S+/g, '--to-destination [10.244.0.11]:8080'],
  [/--to-destination ([\d.]+):(\S+)/g, '--to-destination [$1]:$2'],
  [/\/32\b/g, '/128'],
]

/** The same rules for ip6tables-restore. */
export const inFamily6 = (rules: string): string =>
  [...words6, ...addresses6].reduce((text, [from, to]) => text.replaceAll(from, to), rules)

/** As `virtualIp`, in the other family. */
export const virtualIp6 = (i: number): string => `fd00:96:1::${i + 1}`

/** The sets that those rules name. */
export const ipsets = `create clients hash:ip family inet
add clients 10.168.0.100
add clients 10.244.0.12
create pairs hash:ip,port family inet
add pairs 10.244.0.11,tcp:8080
add pairs 10.96.1.1,tcp:80
create nets hash:net family inet
add nets 10.244.0.0/16
add nets 10.244.0.11/32 nomatch
create ports bitmap:port range 0-65535
add ports 80
add ports 8080
create triples hash:ip,port,ip family inet
add triples 10.168.0.100,tcp:8080,10.244.0.11
`

const nftMatches: readonly ((random: Random) => string)[] = [
  (r) =>
    `ip saddr ${r.pick(['', '!= '])}${r.pick(['10.168.0.0/24', '10.244.0.0/16', '10.168.0.100', '{ 10.168.0.100, 10.244.0.11 }', '{ 10.244.0.0/16, 10.168.0.2-10.168.0.50 }', '@clients', '10.244.0.8-10.244.0.11'])}`,
  (r) => `meta l4proto ${r.pick(['tcp', 'udp', '{ tcp, sctp }', '!= udp'])}`,
  (r) => `meta mark ${r.pick(['0x1', '!= 0x1', '& 0x4000 == 0x4000', '& 0x3 != 0x2', '{ 0x0, 0x4000 }', '< 0x10'])}`,
  (r) => `ct state ${r.pick(['new', 'established,related', '{ new, invalid }', '!= new'])}`,
  (r) => `ct status ${r.pick(['dnat', 'snat'])}`,
  (r) => `ct mark ${r.pick(['0x0', '0x7', '!= 0x7'])}`,
  (r) => `ct direction ${r.pick(['original', 'reply'])}`,
  (r) => `ct original ip daddr ${r.pick(['10.96.1.0/28', '10.96.1.3', '!= 10.96.1.3'])}`,
  (r) => `fib saddr type ${r.pick(['local', 'unicast'])}`,
  (r) => `fib daddr type ${r.pick(['local', 'unicast', '{ local, multicast }'])}`,
  (r) => `th dport ${r.pick(['80', '8080', '1-100', '{ 80, 8080-8090 }', '!= { 443 }', '>= 8000'])}`,
  (r) => `tcp dport ${r.pick(['80', '8080', '{ 80, 8080 }'])}`,
  (r) => `tcp flags ${r.pick(['& (syn | ack) == syn', 'syn', '& fin != 0x0'])}`,
  (r) => `ip saddr . meta l4proto ${r.pick(['{ 10.168.0.100 . tcp, 10.244.0.11 . udp }', '@who'])}`,
  (r) => `numgen random mod 2 ${r.pick(['0', '!= 0'])}`,
  (r) => `iifname ${r.pick(['"eth0"', '"cni*"', '!= "cni0"', '{ "eth0", "lo" }'])}`,
  (r) => `ip protocol ${r.pick(['tcp', 'udp'])}`,
  (r) => `meta length ${r.pick(['< 1000', '> 1000'])}`,
  (r) => `ct status ${r.pick(['confirmed', '! snat', 'seen-reply'])}`,
  (r) => `meta l4proto tcp ct original proto-dst ${r.pick(['80', '1-79', '!= 80'])}`,
  (r) => `ct reply ip saddr ${r.pick(['10.244.0.0/16', '!= 10.244.0.11'])}`,
  (r) => `ct state vmap { new : ${r.pick(['continue', 'return'])}, established : accept }`,
  (r) => `ip saddr & 0.0.0.1 == ${r.pick(['0.0.0.1', '0.0.0.0'])}`,
  (r) =>
    `ip saddr . ip daddr ${r.pick(['{ 10.168.0.0/24 . 10.96.1.0/24, 10.244.0.11 . 0.0.0.0/0 }', '{ 10.244.0.11 . 10.96.1.2 }'])}`,
  (r) => `ip dscp ${r.pick(['cs0', '!= cs0'])}`,
  (r) => `iif ${r.pick(['"eth0"', '"cni0"', '!= "lo"'])}`,
  (r) => `meta pkttype ${r.pick(['host', 'broadcast'])}`,
  (r) => `jhash ip saddr . th sport mod 2 ${r.pick(['0', '1'])}`,
  (r) => `limit rate ${r.pick(['over 1000/second', '10/minute'])}`,
  (r) => `ip daddr . th dport ${r.pick(['{ 10.96.1.1 . 80, 10.244.0.11 . 8080 }', '{ 10.96.1.0/24 . 80-90 }'])}`,
]

/** Only where packets come in. */
const nftEarly: readonly ((random: Random) => string)[] = [
  (r) => `fib saddr oif ${r.pick(['exists', 'missing'])}`,
  (r) => `fib saddr . iif oif ${r.pick(['exists', 'missing'])}`,
  (r) => `fib saddr . mark oif != ${r.pick(['"eth0"', '"cni0"'])}`,
  (r) => `fib saddr oifname ${r.pick(['"eth0"', '"cni0"'])}`,
  (r) => `fib daddr . iif type ${r.pick(['local', 'unicast'])}`,
  (r) => `ct state ${r.pick(['new', 'untracked'])}`,
]

/** The same in the words of nftables. */
const nftOfRefusals: readonly ((random: Random) => string)[] = [
  (r) => `icmp type ${r.pick(['destination-unreachable', 'echo-request'])}`,
  (r) => `icmp code ${r.pick(['port-unreachable', '!= host-prohibited'])}`,
  (r) => `tcp flags ${r.pick(['& rst == rst', '& (syn | rst) == rst', '& (rst | ack) == (rst | ack)'])}`,
  () => 'ct state related',
]

/** `isNat`: asked once for each connection. Elsewhere flags would tell its first packets, which are traced, from the later. */
function nftRule(random: Random, act: string, isNat = true): string {
  const words = [act]
  for (let n = random.integer(0, 2); n > 0; n--) {
    const match = random.pick(nftMatches)(random)
    // nft 1.0.6 lists two comparisons of one field as a range, `< 1000` and `> 1000` as `!= 1000-1000`.
    const field = match.split(' ').slice(0, 2).join(' ')
    if (words.some((word) => word.startsWith(field))) continue
    if (!contradicts([match, ...words].join(' ')) && (isNat || !match.startsWith('tcp flags'))) words.unshift(match)
  }
  return words.join(' ')
}

/** What nft refuses: two protocols in one rule. */
const contradicts = (rule: string): boolean =>
  (/(ip protocol|meta l4proto) (udp|!=|\{)/.test(rule) && /\btcp (flags|dport)/.test(rule)) ||
  (/(ip protocol|meta l4proto) udp/.test(rule) && /(ip protocol|meta l4proto) tcp/.test(rule))

/** A table for `nft -f`: what happens to packets for `count` addresses. */
export function randomNft(random: Random, count: number): string {
  const lines: string[] = []
  const entries: string[] = []
  const nftMarks = ['0x1', 'meta mark | 0x4000', 'meta mark ^ 0x2', 'ip saddr map @marks']
  for (let i = 0; i < count; i++) {
    entries.push(`${virtualIp(i)} : goto pre-${i}`)
    const rules = Array.from({ length: random.integer(1, 4) }, () =>
      nftRule(
        random,
        random.pick([
          `jump sub-${i}`,
          `goto sub-${i}`,
          'return',
          'accept',
          'counter',
          `meta mark set ${random.pick(nftMarks)}`,
          'ct mark set 0x7',
          'ct mark set meta mark',
          'meta mark set ct mark',
          'meta mark set numgen random mod 2 offset 4',
          'add @seen { ip saddr }',
          'log prefix "x "',
        ]),
      ),
    )
    const [one, two, three] = [target(random), target(random), target(random)]
    const choice = random.pick([
      `meta l4proto { tcp, udp } dnat to ${one}`,
      `meta l4proto tcp dnat to numgen random mod 3 map { 0 : ${one.replace(':', ' . ')}, 1 : ${two.replace(':', ' . ')}, 2 : ${three.replace(':', ' . ')} }`,
      `numgen random mod 2 vmap { 0 : goto one-${i}, 1 : goto two-${i} }`,
      `meta l4proto . th dport vmap { tcp . 80 : goto one-${i}, udp . 80 : goto two-${i} }`,
      `meta l4proto udp dnat to ${one.split(':')[0]}`,
      'meta l4proto { tcp, udp } redirect to :8080',
      'dnat to 10.244.0.11-10.244.0.12',
      `numgen inc mod 2 vmap { 0 : goto one-${i}, 1 : goto two-${i} }`,
      `jhash ip saddr mod 2 seed 0x5 vmap { 0 : goto one-${i}, 1 : goto two-${i} }`,
      `dnat to ip saddr map { 10.168.0.0/24 : 10.244.0.11, 10.244.0.0/16 : 10.244.1.11 }`,
      `ip saddr vmap { 10.168.0.0/24 : goto one-${i}, 10.244.0.0/16 : goto two-${i} }`,
    ])
    lines.push(
      `chain one-${i} { meta l4proto { tcp, udp } dnat to ${one}; }`,
      `chain two-${i} { meta l4proto { tcp, udp } dnat to ${two}; }`,
    )
    lines.push(
      `chain sub-${i} { ${nftRule(random, `meta mark set ${random.pick(nftMarks)}`)}; ${nftRule(random, `goto two-${i}`)}; }`,
    )
    lines.push(`chain pre-${i} { ${[...rules, choice, `goto one-${i}`].join('; ')}; }`)
    const verdicts = [
      'drop',
      'reject',
      'accept',
      'return',
      'reject with icmp host-prohibited',
      'reject with icmpx admin-prohibited',
      'reject with tcp reset',
    ]
    const forward = Array.from({ length: random.integer(0, 3) }, () => {
      const act = random.pick(verdicts)
      return nftRule(
        random,
        act === 'reject with tcp reset'
          ? `meta l4proto tcp ${act}`
          : act.includes('icmpx')
            ? act.replace('icmpx', 'icmp')
            : act,
        false,
      )
    })
    const out = Array.from(
      { length: random.integer(0, 2) },
      () =>
        `${random.pick(nftOfRefusals)(random)} ${random.pick(['drop', 'accept', 'return', 'reject with icmp net-prohibited'])}`,
    )
    const post = Array.from({ length: random.integer(0, 2) }, () =>
      nftRule(
        random,
        random.pick(['masquerade', 'masquerade fully-random', 'return', 'snat to 10.168.0.2']),
      ).replaceAll(/iifname (!= )?(\{[^}]*\}|"[^"]*")/g, 'oifname $1$2'),
    )
    const early = Array.from(
      { length: random.next() < 0.3 ? 1 : 0 },
      () => `${random.pick(nftEarly)(random)} ${random.pick(['drop', 'meta mark set 0x1', 'return', 'notrack'])}`,
    )
    lines.push(
      `chain early-${i} { ${early.map((rule) => `${rule}; `).join('')}}`,
      `chain fwd-${i} { ${forward.map((rule) => `${rule}; `).join('')}}`,
      `chain out-${i} { ${out.map((rule) => `${rule}; `).join('')}}`,
      `chain post-${i} { ${post.map((rule) => `${rule}; `).join('')}}`,
    )
  }
  const later = 'ct state established ct direction original accept; tcp flags & (syn | rst) == 0x0 accept'
  const map = `{ ${entries.join(', ')} }`
  const after = (name: string) =>
    `ct original ip daddr vmap { ${Array.from({ length: count }, (_, i) => `${virtualIp(i)} : jump ${name}-${i}`).join(', ')} }`
  return `table ip hand {
  set clients { type ipv4_addr; flags interval; elements = { 10.168.0.100, 10.244.0.12-10.244.0.20 } }
  set seen { type ipv4_addr; flags dynamic; size 1000; }
  set who { type ipv4_addr . inet_proto; elements = { 10.168.0.100 . tcp, 10.244.0.11 . udp } }
  map marks { type ipv4_addr : mark; flags interval; elements = { 10.168.0.0/16 : 0x10, 10.244.0.11 : 0x4000, 10.244.0.12-10.244.0.255 : 0x1 } }
  ${lines.join('\n  ')}
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; ip daddr vmap ${map}; }
  chain output { type nat hook output priority -100; policy accept; ip daddr vmap ${map}; }
  chain early { type filter hook prerouting priority ${random.pick(['raw', 'mangle'])}; policy accept; ip daddr vmap ${map.replaceAll('goto pre', 'jump early')}; }
  chain out { type filter hook output priority filter; policy accept; ${later}; ${after('out')}; }
  chain forward { type filter hook forward priority filter; policy accept; ${later}; ${after('fwd')}; }
  chain postrouting { type nat hook postrouting priority srcnat; policy accept; ${after('post')}; }
}
`
}

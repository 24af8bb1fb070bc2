// What a text is, from what it says: people's files have any name.

export type InputKind =
  | 'iptables-save'
  | 'iptables -L'
  | 'nft list ruleset'
  | 'nft -j'
  | 'nft bytecode'
  | 'ipset save'
  | 'ipvsadm'
  | 'conntrack'
  | 'ip addr'
  | 'ip route'
  | 'ip rule'
  | 'ip neigh'
  | 'bridge fdb'
  | 'sysctl'
  | 'sockets'
  | 'resolv.conf'
  | 'ethtool'
  | 'conntrack -S'
  | 'health'
  | 'objects'
  | 'manifest'

/** How much of a text is looked at. */
const enough = 20_000

/** Undefined where nothing is known of it. The name only tells what an empty text would have been. */
export function identify(text: string, name = ''): InputKind | undefined {
  const start = text.slice(0, enough)
  if (/^\s*(\[\s*(\{\s*\}\s*)?\]\s*)?$/.test(start)) return fromName(name)
  if (/^\s*[[{]/.test(start)) return fromJson(start)
  return signs.find(([, sign]) => sign.test(start))?.[0] ?? late(text) ?? commentsOnly(start, name)
}

/** In the order in which they are tried. */
const signs: readonly (readonly [InputKind, RegExp])[] = [
  ['iptables-save', /^\*(filter|nat|mangle|raw|security)\s*$/m],
  ['iptables -L', /^Chain \S+ \((policy|\d+ references)/m],
  ['nft list ruleset', /^\s*table (ip6?|inet|arp|bridge|netdev) \S+ \{/m],
  ['ipset save', /^create \S+ (hash|bitmap|list):/m],
  ['ipvsadm', /^(IP Virtual Server version|-A (-[tuf]|--sctp-service) \S+ -s )/m],
  ['conntrack', /^\s*(ipv[46]\s+\d+\s+)?(tcp|udp|icmp|icmpv6|sctp|unknown|dccp|gre)\s+\d+\s+\d+ .*\bsrc=/m],
  [
    'sockets',
    /^((tcp|udp)\s+)?(LISTEN|UNCONN|ESTAB)\s+\d+\s+\d+\s|^(tcp|udp)6?\s+\d+\s+\d+\s+\S+:\d+\s|^\s*sl\s+local_address|^(Netid\s+State|State\s+Recv-Q)\s/m,
  ],
  ['conntrack -S', /^cpu=\d+\s.*\binsert_failed=\d/m],
  ['health', /^HTTP\/1\.\d \d{3}/],
  ['ethtool', /^Features for \S+:$/m],
  ['resolv.conf', /^nameserver \S+$/m],
  ['ip addr', /^\d+: \S+: <[A-Z]/m],
  ['ip rule', /^\d+:\s+(not )?from \S+ .*(lookup|unreachable|blackhole|prohibit|goto|nop)/m],
  ['bridge fdb', /^([0-9a-f]{2}:){5}[0-9a-f]{2} dev \S+/m],
  ['ip neigh', /^\S*[.:]\S* dev \S+ .*\b(PERMANENT|NOARP|REACHABLE|STALE|NONE|INCOMPLETE|DELAY|PROBE|FAILED)\b/m],
  [
    'ip route',
    /^((unicast|local|broadcast|multicast|anycast|unreachable|blackhole|prohibit|throw) )?(default|[0-9a-f]*[.:][0-9a-f.:]*(\/\d+)?) .*\b(dev|via|nexthop|proto)\b/m,
  ],
  ['sysctl', /^(net|kernel|vm|fs)[./][\w./-]+ = ?/m],
  ['objects', /^(apiVersion|kind|items): /m],
]

/** Long comments may stand before what a text begins with. */
const late = (text: string): InputKind | undefined =>
  text.length > enough && /^\*(filter|nat|mangle|raw|security)\s*$/m.test(text) ? 'iptables-save' : undefined

/** What names no server still is what it is called. */
const commentsOnly = (start: string, name: string): InputKind | undefined =>
  /(^|\/)resolv\.conf$/.test(name) && /^([#;].*\n?|\s*\n|(search|domain|options|sortlist)\b.*\n?)*$/.test(start)
    ? 'resolv.conf'
    : undefined

function fromJson(start: string): InputKind | undefined {
  const has = (key: string) => new RegExp(`"${key}"\\s*:`).test(start)
  if (has('fairwaySnapshot')) return 'manifest'
  if (/"fairway"\s*:\s*"nftables"/.test(start)) return 'nft bytecode'
  if (/^\s*\{\s*"nftables"\s*:/.test(start)) return 'nft -j'
  if (has('apiVersion') || has('kind')) return 'objects'
  if (!/^\s*\[/.test(start)) return undefined
  if (has('ifindex')) return 'ip addr'
  if (has('mac') && has('ifname')) return 'bridge fdb'
  if (has('priority')) return 'ip rule'
  if (has('dst') && has('state') && has('dev') && !has('flags')) return 'ip neigh'
  if (has('dst') && (has('lladdr') || /"state"\s*:\s*\[/.test(start))) return 'ip neigh'
  return has('dst') ? 'ip route' : undefined
}

const names: readonly (readonly [RegExp, InputKind])[] = [
  [/iptables|ip6tables/, 'iptables-save'],
  [/nft/, 'nft -j'],
  [/ipset/, 'ipset save'],
  [/ipvs/, 'ipvsadm'],
  [/conntrack/, 'conntrack'],
  [/route/, 'ip route'],
  [/rule/, 'ip rule'],
  [/neigh/, 'ip neigh'],
  [/fdb/, 'bridge fdb'],
  [/sockets/, 'sockets'],
]
const fromName = (name: string): InputKind | undefined =>
  names.find(([sign]) => sign.test(name.split('/').at(-1) ?? ''))?.[1]

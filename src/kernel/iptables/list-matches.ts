// How `iptables -L -n` prints matches that are kept word for word: as iptables-save would print them.
import type { Match } from '#kernel/iptables/rule.ts'

export type ListReader = {
  readonly pattern: RegExp
  /** undefined: it says nothing that the columns have not said */
  read(found: RegExpExecArray): Match | undefined
}

const other = (name: string, not: boolean, ...words: readonly string[]): Match => ({
  kind: 'other',
  name,
  words: not ? ['!', ...words] : words,
})
const isNot = (sign: string | undefined): boolean => sign !== undefined && sign.trim() !== ''

export const otherReaders: readonly ListReader[] = [
  {
    pattern: /^(! ?)?(ct(?:orig|repl)(?:src|dst)(?:port)?|ctproto|ctstatus) (\S+)/,
    read: ([, not, option, value]) => other('conntrack', isNot(not), `--${option}`, value!),
  },
  { pattern: /^(! ?)?ctdir (\S+)/, read: ([, not, value]) => other('conntrack', isNot(not), '--ctdir', value!) },
  { pattern: /^(! ?)?state (\S+)/, read: ([, not, value]) => other('state', isNot(not), '--state', value!) },
  {
    pattern: /^multiport (dports|sports|ports)\s+(! ?)?(\S+)/,
    read: ([, option, not, value]) => other('multiport', isNot(not), `--${option}`, value!),
  },
  {
    pattern: /^(source|destination) IP range (! ?)?(\S+)/,
    read: ([, side, not, value]) =>
      other('iprange', isNot(not), side === 'source' ? '--src-range' : '--dst-range', value!),
  },
  {
    pattern: /^connmark match\s+(! ?)?(0x\S+)/,
    read: ([, not, value]) => other('connmark', isNot(not), '--mark', value!),
  },
  {
    pattern: /^length (! ?)?(\d+(?::\d+)?)/,
    read: ([, not, value]) => other('length', isNot(not), '--length', value!),
  },
  {
    pattern: /^PKTTYPE (!?)= (\S+)/,
    read: ([, not, value]) => other('pkttype', isNot(not), '--pkt-type', value!),
  },
  {
    pattern: /^limit: avg (\S+) burst (\d+)/,
    read: ([, rate, burst]) => other('limit', false, '--limit', rate!, '--limit-burst', burst!),
  },
  {
    pattern: /^limit: (up to|above) (\S+) burst \d+(?: mode \S+)?(?: (?:src|dst)mask \d+)*(?: htable-\S+ \d+)*/,
    read: ([, side, rate]) => other('hashlimit', false, `--hashlimit-${side === 'above' ? 'above' : 'upto'}`, rate!),
  },
  {
    pattern: /^statistic mode nth (! )?every (\d+)(?: packet (\d+))?/,
    read: ([, not, every, packet = '0']) =>
      other('statistic', false, '--mode', 'nth', ...(isNot(not) ? ['!'] : []), '--every', every!, '--packet', packet),
  },
  {
    pattern: /^ADDRTYPE match((?: (?:src|dst)-type !?\S+)+) limit-(in|out)/,
    read: ([, types = '', side]) =>
      other(
        'addrtype',
        false,
        ...[...types.matchAll(/(src|dst)-type (!?)(\S+)/g)].flatMap(([, end, not, type]) => [
          ...(not === '' ? [] : ['!']),
          `--${end}-type`,
          type!,
        ]),
        `--limit-iface-${side}`,
      ),
  },
  {
    pattern: /^rpfilter((?: (?:loose|validmark|accept-local|invert))*)/,
    read: ([, words = '']) =>
      other(
        'rpfilter',
        false,
        ...words
          .trim()
          .split(' ')
          .filter(Boolean)
          .map((word) => `--${word}`),
      ),
  },
  {
    pattern: /^(! )?owner (UID|GID) match (\S+)/,
    read: ([, not, kind, value]) => other('owner', isNot(not), `--${kind!.toLowerCase()}-owner`, value!),
  },
  { pattern: /^(! )?owner socket exists/, read: ([, not]) => other('owner', isNot(not), '--socket-exists') },
  {
    pattern: /^tos match ?(!?)(0x[0-9a-f]+\/0x[0-9a-f]+)/i,
    read: ([, not, value]) => other('tos', isNot(not), '--tos', value!),
  },
  { pattern: /^DSCP match (!?)(0x[0-9a-f]+)/i, read: ([, not, value]) => other('dscp', isNot(not), '--dscp', value!) },
  { pattern: /^MAC ?(!?) ?([0-9A-F:]{17})/i, read: ([, not, mac]) => other('mac', isNot(not), '--mac-source', mac!) },
  {
    pattern: /^socket((?: --\w+)*)/,
    read: ([, words = '']) => other('socket', false, ...words.trim().split(' ').filter(Boolean)),
  },
  {
    pattern: /^tcp flags:(!?)0x([0-9A-F]+)\/0x([0-9A-F]+)/i,
    read: ([, not, mask, set]) => other('tcp', isNot(not), '--tcp-flags', flagNames(mask!), flagNames(set!)),
  },
  {
    pattern: /^(icmp|ipv6-icmp)(?:type|v6-type)? (?:code )?!?(\d+)?/,
    read: ([, , type]) => (type === undefined ? undefined : other('icmp', false, '--icmp-type', type)),
  },
  {
    pattern: /^icmptype (\d+)(?: code (\d+))?/,
    read: ([, type, code]) => other('icmp', false, '--icmp-type', code === undefined ? type! : `${type}/${code}`),
  },
  {
    pattern: /^PHYSDEV match( !)? --physdev-(is-bridged|is-in|is-out|(?:in|out)(?= (\S+)))(?: \3)?/,
    read: ([, not, option, value]) =>
      other('physdev', isNot(not), `--physdev-${option}`, ...(value === undefined ? [] : [value])),
  },
]

const flags = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG']
const flagNames = (hex: string): string =>
  flags.filter((_, bit) => (Number.parseInt(hex, 16) & (1 << bit)) !== 0).join(',') || 'NONE'

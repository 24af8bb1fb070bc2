// The text of `iptables -L -v -n` (with or without --line-numbers) as values: what people paste when they ask why. It
// says less than iptables-save: addresses lose `/32`, words lose their option's name. What is not known is kept as it
// stands.
import { type ListReader, otherReaders } from '#kernel/iptables/list-matches.ts'
import type { Match, Rule, Target, Test } from '#kernel/iptables/rule.ts'
import type { SavedChain } from '#kernel/iptables/save.ts'

type ChainDraft = {
  name: string
  policy?: string
  counters: SavedChain['counters']
  rules: Rule[]
  lines: number[]
  /** with --line-numbers; undefined where the head of the columns is missing */
  isNumbered?: boolean
}

/** True where the text looks like a listing at all. */
export const isList = (text: string): boolean => /^Chain \S+ \((policy|\d+ references)/m.test(text)

/** Reads the chains of one table. Lines that are no part of a listing, a prompt for one, are passed over. */
export function parseList(text: string): SavedChain[] {
  const chains: ChainDraft[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const head = /^Chain (\S+) \((?:policy (\S+) (\S+) packets, (\S+) bytes|\d+ references)\)/.exec(line)
    if (head !== null) {
      const [, name = '', policy, packets = '0', bytes = '0'] = head
      const counters = { packets: scaled(packets), bytes: scaled(bytes) }
      chains.push({ name, ...(policy === undefined ? {} : { policy }), counters, rules: [], lines: [] })
      continue
    }
    const chain = chains.at(-1)
    const columns = /^\s*(num\s+)?pkts\s+bytes\s+target/.exec(line)
    if (chain !== undefined && columns !== null) chain.isNumbered = columns[1] !== undefined
    const rule = chain === undefined ? undefined : parseLine(line, chain.isNumbered)
    if (chain === undefined || rule === undefined) continue
    chain.rules.push(rule)
    chain.lines.push(index + 1)
  }
  const names = new Set(chains.map((chain) => chain.name))
  return chains.map(({ isNumbered: _, ...chain }) => ({
    ...chain,
    rules: chain.rules.map((rule) => resolveTarget(rule, names)),
  }))
}

/** `7935`, `617K`, `22M`: three digits and a decimal factor once a counter is large. */
function scaled(text: string): number {
  const factor = { K: 1e3, M: 1e6, G: 1e9, T: 1e12 }[text.at(-1) ?? ''] ?? 1
  return Number.parseInt(text, 10) * factor
}

const column = /^\s*(\d+[KMGT]?)\s+(\d+[KMGT]?)\s+(.*)$/
/** With --line-numbers. */
const numbered = /^\s*\d+\s+(\d+[KMGT]?)\s+(\d+[KMGT]?)\s+(.*)$/
/** The target is left out where a rule has none; the protocol then stands in its place. */
const rest = /^(?:(\S+)\s+)?(!?\S+)\s+(--|-f|!f)\s+(!?\S+)\s+(!?\S+)\s+(!?\S+)\s+(!?\S+)\s*(.*)$/

function parseLine(line: string, isNumbered: boolean | undefined): Rule | undefined {
  const found = isNumbered === true ? null : column.exec(line)
  const split = found !== null && (isNumbered === false || rest.test(found[3]!)) ? found : numbered.exec(line)
  const [, packets, bytes, words] = split ?? []
  const [, target, protocol, fragment, input, output, source, destination, extra = ''] = rest.exec(words ?? '') ?? []
  if (packets === undefined || bytes === undefined || protocol === undefined) return undefined
  const draft: { -readonly [K in keyof Rule]: Rule[K] } & { matches: Match[] } = {
    counters: { packets: scaled(packets), bytes: scaled(bytes) },
    matches: [],
  }
  const set = (
    key: 'source' | 'destination' | 'inInterface' | 'outInterface' | 'protocol',
    text: string | undefined,
    any: readonly string[],
  ) => {
    const test = tested(text ?? '')
    if (!any.includes(test.value)) draft[key] = key === 'source' || key === 'destination' ? withPrefix(test) : test
  }
  set('protocol', protocol, ['all', '0'])
  set('inInterface', input, ['*'])
  set('outInterface', output, ['*'])
  set('source', source, ['0.0.0.0/0', '::/0', 'anywhere'])
  set('destination', destination, ['0.0.0.0/0', '::/0', 'anywhere'])
  if (fragment !== '--') draft.fragment = { value: true, ...(fragment === '!f' && { not: true }) }
  const targetWords = readExtra(extra, draft.matches)
  if (target !== undefined) draft.target = readTarget(target, targetWords)
  return draft
}

const tested = (text: string): Test => (text.startsWith('!') ? { value: text.slice(1), not: true } : { value: text })

function withPrefix(test: Test): Test {
  if (test.value.includes('/')) return test
  return { ...test, value: `${test.value}/${test.value.includes(':') ? 128 : 32}` }
}

const negated = (sign: string | undefined) => (sign === undefined || sign.trim() === '' ? {} : { not: true as const })

/** How matches are printed, tried in this order at the start of what is left of a line. */
const readers: readonly ListReader[] = [
  ...otherReaders,
  { pattern: /^\/\* (.*?) \*\//, read: ([, text]) => ({ kind: 'comment', text: text! }) },
  {
    pattern: /^(tcp|udp|sctp)((?: (?:spts?|dpts?):!?[\d:]+)+)/,
    read([, protocol, words]) {
      const side = (name: 'spt' | 'dpt') => {
        const found = new RegExp(`${name}s?:(!?)([\\d:]+)`).exec(words!)
        return found === null ? undefined : { value: found[2]!, ...negated(found[1]) }
      }
      const [source, destination] = [side('spt'), side('dpt')]
      return {
        kind: 'ports',
        protocol: protocol as 'tcp',
        ...(source && { source }),
        ...(destination && { destination }),
      }
    },
  },
  {
    pattern: /^ADDRTYPE match((?: !?(?:src|dst)-type !?\S+)+)/,
    read([, words]) {
      const side = (name: 'src' | 'dst') => {
        const found = new RegExp(`(!?)${name}-type (!?)(\\S+)`).exec(words!)
        return found === null ? undefined : { value: found[3]!, ...negated(`${found[1]}${found[2]}`) }
      }
      const [source, destination] = [side('src'), side('dst')]
      return { kind: 'addrtype', ...(source && { source }), ...(destination && { destination }) }
    },
  },
  {
    pattern: /^mark match (! ?)?0x([0-9a-f]+)(?:\/0x([0-9a-f]+))?/,
    read: ([, not, value, mask]) => ({
      kind: 'mark',
      mark: {
        value: { value: Number.parseInt(value!, 16), mask: Number.parseInt(mask ?? 'ffffffff', 16) },
        ...negated(not),
      },
    }),
  },
  {
    pattern: /^(! )?ctstate (\S+)/,
    read: ([, not, states]) => ({ kind: 'conntrack', states: { value: states!.split(','), ...negated(not) } }),
  },
  {
    pattern: /^statistic mode random (! )?probability ([\d.]+)/,
    read: ([, not, share]) => ({ kind: 'random', probability: { value: Number(share), ...negated(not) } }),
  },
  {
    pattern:
      /^recent: (! ?)?(SET|CHECK|UPDATE|REMOVE)(?: seconds: (\d+))?( reap)?(?: hit_count: (\d+))? name: (\S+) side: (source|dest) mask: (\S+)/,
    read([, not, action, seconds, reap, hits, name, side, mask]) {
      const known = { SET: 'set', CHECK: 'rcheck', UPDATE: 'update', REMOVE: 'remove' } as const
      return {
        kind: 'recent',
        action: { value: known[action as 'SET'], ...negated(not) },
        ...(seconds !== undefined && { seconds: Number(seconds) }),
        ...(hits !== undefined && { hitcount: Number(hits) }),
        ...(reap !== undefined && { reap: true }),
        name: name!,
        mask: mask!,
        side: side === 'source' ? 'rsource' : 'rdest',
      }
    },
  },
  // A protocol without ports says nothing that its column has not said.
  { pattern: /^(?:tcp|udp|sctp)(?= (?:to|masq|redir|random|reject)|$)/, read: () => undefined },
  { pattern: /^nfacct-name\s+(\S+)/, read: ([, name]) => ({ kind: 'nfacct', name: name! }) },
  {
    pattern: /^(?:(!) )?match-set (\S+) (\S+)/,
    read: ([, not, name, sides]) => ({ kind: 'set', name: { value: name!, ...negated(not) }, sides: sides! }),
  },
]

/** What targets print behind the matches. */
const targetPattern =
  /^(\[goto\]|(MARK|CONNMARK|LOG|CT|TCPMSS|TPROXY|NFQUEUE|CHECKSUM|TOS set|DSCP set|CLASSIFY set) .*|NOTRACK|nflog-\S+ .*|(add|del|map)-set .*|to:\S+.*|masq ports: \S+.*|random-fully|reject-with \S+|redir ports \S+.*)/

/** Fills in the matches; answers the words that belong to the target. */
function readExtra(extra: string, matches: Match[]): string {
  // A goto says so before its matches.
  const isGoto = /^\s*\[goto\]/.test(extra)
  let left = extra.trim().replace(/^\[goto\]\s*/, '')
  while (left !== '' && !targetPattern.test(left)) {
    const reader = readers.find(({ pattern }) => pattern.test(left))
    const found = reader?.pattern.exec(left)
    if (reader === undefined || !found) {
      const [name = '', ...words] = left.split(' ')
      matches.push({ kind: 'other', name, words })
      return isGoto ? '[goto]' : ''
    }
    const match = reader.read(found)
    if (match !== undefined) matches.push(match)
    left = left.slice(found[0].length).trimStart()
  }
  return isGoto ? `[goto] ${left}` : left
}

function readTarget(name: string, words: string): Target {
  if (name === 'ACCEPT' || name === 'DROP' || name === 'RETURN') return { kind: 'verdict', verdict: name }
  if (words.startsWith('[goto]')) return { kind: 'goto', chain: name }
  const mark = /^MARK (or|xor|and|set|xset) 0x([0-9a-f]+)(?:\/0x([0-9a-f]+))?/.exec(words)
  if (name === 'MARK' && mark !== null)
    return { kind: 'mark', mark: markOf(mark[1]!, Number.parseInt(mark[2]!, 16), mark[3]) }
  if (name === 'MASQUERADE') {
    const ports = /masq ports: (\S+)/.exec(words)?.[1]
    return {
      kind: 'masquerade',
      ...(words.includes('random-fully') && { randomFully: true }),
      ...(ports !== undefined && { toPorts: ports }),
    }
  }
  const mask = /^CONNMARK (save|restore)(?: nfmask 0x([0-9a-f]+) ctmask ~?0x([0-9a-f]+)| mask 0x([0-9a-f]+))?/.exec(
    words,
  )
  if (name === 'CONNMARK' && mask !== null) {
    const [nfmask, ctmask] = [mask[2] ?? mask[4] ?? 'ffffffff', mask[3] ?? mask[4] ?? 'ffffffff']
    return { kind: 'other', name, words: [`--${mask[1]}-mark`, '--nfmask', `0x${nfmask}`, '--ctmask', `0x${ctmask}`] }
  }
  const connmark = /^CONNMARK (or|xor|and|set|xset) 0x([0-9a-f]+)(?:\/0x([0-9a-f]+))?/.exec(words)
  if (name === 'CONNMARK' && connmark !== null) {
    const set = markOf(connmark[1]!, Number.parseInt(connmark[2]!, 16), connmark[3])
    return { kind: 'other', name, words: ['--set-xmark', `0x${set.value.toString(16)}/0x${set.mask.toString(16)}`] }
  }
  const redirect = /^redir ports (\S+)/.exec(words)?.[1]
  if (name === 'REDIRECT') return { kind: 'other', name, words: redirect === undefined ? [] : ['--to-ports', redirect] }
  const to = /^to:(\S+)/.exec(words)?.[1]
  if (name === 'DNAT' && to !== undefined)
    return {
      kind: 'dnat',
      to,
      ...(/ random\b/.test(words) && { random: true }),
      ...(words.includes('persistent') && { persistent: true }),
    }
  if (name === 'SNAT' && to !== undefined)
    return {
      kind: 'snat',
      to,
      ...(words.includes('random-fully') && { randomFully: true }),
      ...(words.includes('persistent') && { persistent: true }),
    }
  if (name === 'CT' || name === 'NOTRACK')
    return {
      kind: 'other',
      name: 'CT',
      words: /^(CT notrack|NOTRACK)/.test(words) || name === 'NOTRACK' ? ['--notrack'] : [],
    }
  if (name === 'NETMAP' && to !== undefined) return { kind: 'other', name, words: ['--to', to] }
  if (name === 'REJECT')
    return { kind: 'reject', with: /^reject-with (\S+)/.exec(words)?.[1] ?? 'icmp-port-unreachable' }
  return { kind: 'other', name, words: words === '' ? [] : words.split(' ') }
}

/** The kernel's own form of each way to set a mark: (mark & ~mask) ^ value. */
function markOf(
  action: string,
  value: number,
  mask: string | undefined,
): { readonly value: number; readonly mask: number } {
  if (action === 'or') return { value, mask: value }
  if (action === 'xor') return { value, mask: 0 }
  if (action === 'and') return { value: 0, mask: ~value >>> 0 }
  const bits = mask === undefined ? 0xffffffff : Number.parseInt(mask, 16)
  return { value, mask: action === 'set' ? (bits | value) >>> 0 : bits }
}

function resolveTarget(rule: Rule, chains: ReadonlySet<string>): Rule {
  const { target } = rule
  if (target?.kind !== 'other' || !chains.has(target.name)) return rule
  return { ...rule, target: { kind: 'jump', chain: target.name } }
}

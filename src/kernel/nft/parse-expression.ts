// Expressions of nft's text: what is looked at (`ip daddr . tcp dport`), and what it is compared with.

import { type Element, type Expression, NftFormatError } from '#kernel/nft/ast.ts'
import { lineEnd, type Tokens } from '#kernel/nft/lex.ts'
import { parseVerdict } from '#kernel/nft/parse-verdict.ts'
import { parseDuration } from '#lib/duration.ts'

const headers = new Set(
  'ip ip6 tcp udp udplite sctp dccp th icmp icmpv6 igmp ether vlan arp ah esp comp gre geneve vxlan'.split(' '),
)
/** A protocol's name may also be a value, with a statement behind it: `meta l4proto tcp dnat to`. */
const fieldNames = new Set(
  (
    'saddr daddr protocol length id frag-off ttl dscp ecn version hdrlength checksum nexthdr hoplimit flowlabel sport dport ' +
    'flags sequence ackseq doff window urgptr type code mtu gateway parameter-problem max-delay taddr cfi pcp htype ptype ' +
    'hlen plen operation vtag option reserved spi cpi'
  ).split(' '),
)
/** Keys of meta that may stand without the word. */
const bareMeta = new Set(
  'iifname oifname iif oif mark skuid skgid pkttype priority nftrace iiftype oiftype rtclassid cpu iifgroup oifgroup cgroup ibrname obrname'.split(
    ' ',
  ),
)

/** What rules look at. */
export function parseLeft(tokens: Tokens): Expression {
  const parts = [parseOperand(tokens)]
  while (tokens.take('.')) parts.push(parseOperand(tokens))
  const key: Expression = parts.length === 1 ? parts[0]! : { kind: 'concat', parts }
  if (!tokens.take('map')) return key
  return { kind: 'map', key, to: parseCollection(tokens) }
}

const operators = new Set(['&', '|', '^', '<<', '>>', 'and', 'or', 'xor', 'lshift', 'rshift'])
const signs: Readonly<Record<string, string>> = { and: '&', or: '|', xor: '^', lshift: '<<', rshift: '>>' }

function parseOperand(tokens: Tokens): Expression {
  let left = parsePrimary(tokens)
  while (operators.has(tokens.peek())) {
    const word = tokens.next().text
    left = { kind: 'binary', op: signs[word] ?? word, left, right: parsePrimary(tokens) }
  }
  return left
}

function parsePrimary(tokens: Tokens): Expression {
  const word = tokens.peek()
  if (word === '(') {
    tokens.next()
    const inner = parseOperand(tokens)
    tokens.take(')')
    return inner
  }
  if (word === 'meta') {
    tokens.next()
    return { kind: 'meta', key: tokens.next().text }
  }
  if (word === 'ct') return parseConnection(tokens)
  if (word === 'fib') return parseFib(tokens)
  if (word === 'numgen') return parseNumgen(tokens)
  if (word === 'jhash' || word === 'symhash') return parseHash(tokens)
  if (bareMeta.has(word)) return { kind: 'meta', key: tokens.next().text }
  const raw = /^@(ll|nh|th|ih),(\d+),(\d+)$/.exec(word)
  if (raw !== null) {
    tokens.next()
    return { kind: 'raw', base: raw[1]!, offset: Number(raw[2]), length: Number(raw[3]) }
  }
  if (headers.has(word) && fieldNames.has(tokens.peek(1))) {
    tokens.next()
    return { kind: 'payload', protocol: word, field: tokens.next().text }
  }
  return parseValue(tokens)
}

/** `ct state`, `ct original daddr`, `ct original ip daddr`, `ct original proto-dst` */
function parseConnection(tokens: Tokens): Expression {
  tokens.next()
  const word = tokens.next().text
  if (word !== 'original' && word !== 'reply') return { kind: 'ct', key: word }
  const family = /^ip6?$/.test(tokens.peek()) ? tokens.next().text : undefined
  return { kind: 'ct', key: tokens.next().text, direction: word, ...(family !== undefined && { family }) }
}

function parseFib(tokens: Tokens): Expression {
  tokens.next()
  const flags = [tokens.next().text]
  while (tokens.take('.')) flags.push(tokens.next().text)
  return { kind: 'fib', flags, result: tokens.next().text }
}

function numberAfter(tokens: Tokens, word: string): number | undefined {
  return tokens.take(word) ? Number(tokens.next().text) : undefined
}

function parseNumgen(tokens: Tokens): Expression {
  tokens.next()
  const random = tokens.next().text === 'random'
  const mod = numberAfter(tokens, 'mod') ?? 1
  return { kind: 'numgen', random, mod, offset: numberAfter(tokens, 'offset') ?? 0 }
}

function parseHash(tokens: Tokens): Expression {
  const of = tokens.next().text === 'jhash' ? parseLeft(tokens) : undefined
  const mod = numberAfter(tokens, 'mod') ?? 1
  const seed = numberAfter(tokens, 'seed')
  return {
    kind: 'hash',
    ...(of !== undefined && { of }),
    mod,
    ...(seed !== undefined && { seed }),
    offset: numberAfter(tokens, 'offset') ?? 0,
  }
}

/** A named set, or a list in braces. */
export function parseCollection(tokens: Tokens): Expression {
  const word = tokens.peek()
  if (word.startsWith('@')) return { kind: 'named', set: tokens.next().text.slice(1) }
  if (word !== '{') throw new NftFormatError(tokens.line, `a set was expected, not ${word}`)
  return { kind: 'set', elements: parseElements(tokens) }
}

/** `{ a, b : goto c timeout 5s }` */
export function parseElements(tokens: Tokens): Element[] {
  tokens.take('{')
  const elements: Element[] = []
  for (tokens.skipSpace(); !tokens.isAtEnd && !tokens.take('}'); tokens.skipSpace()) {
    elements.push(parseElement(tokens))
    tokens.skipSpace()
    tokens.take(',')
  }
  return elements
}

/** What an element may count, and the words that go on behind it. */
const stateful = new Set(['counter', 'limit', 'quota', 'ct', 'last'])
const elementWords = new Set([...stateful, 'timeout', 'expires', 'comment', ':', ',', '}', lineEnd])

export function parseElement(tokens: Tokens): Element {
  const key: Expression = tokens.take('*') ? { kind: 'value', text: '*' } : parseRight(tokens)
  const element: { -readonly [K in keyof Element]: Element[K] } = { key }
  for (;;) {
    tokens.skipSpace()
    if (tokens.take('timeout')) element.timeoutMs = milliseconds(tokens.next().text)
    else if (tokens.take('expires')) element.expiresMs = milliseconds(tokens.next().text)
    else if (tokens.take('comment')) element.comment = tokens.next().text
    else if (stateful.has(tokens.peek())) {
      const words = [...(element.words === undefined ? [] : [element.words]), tokens.next().text]
      while (!elementWords.has(tokens.peek()) && !tokens.isAtEnd) words.push(tokens.next().text)
      element.words = words.join(' ')
    } else if (tokens.take(':')) element.data = parseVerdict(tokens) ?? parseRight(tokens)
    else return element
  }
}

/** `1d1h23m5s240ms` */
export function milliseconds(text: string): number {
  const days = /^(\d+)d/.exec(text)
  const rest = text.slice(days?.[0].length ?? 0)
  return Number(days?.[1] ?? 0) * 86_400_000 + (rest === '' ? 0 : (parseDuration(rest) ?? 0))
}

/** What something is compared with, or becomes. */
export function parseRight(tokens: Tokens): Expression {
  if (tokens.peek() === '{' || (tokens.peek().startsWith('@') && !/^@(ll|nh|th|ih),/.test(tokens.peek())))
    return parseCollection(tokens)
  const parts = [parseRightPart(tokens)]
  while (tokens.take('.')) {
    tokens.skipSpace()
    parts.push(parseRightPart(tokens))
  }
  const whole: Expression = parts.length === 1 ? parts[0]! : { kind: 'concat', parts }
  return tokens.take('map') ? { kind: 'map', key: whole, to: parseCollection(tokens) } : whole
}

function parseRightPart(tokens: Tokens): Expression {
  let left = parsePrimary(tokens)
  while (operators.has(tokens.peek())) {
    const word = tokens.next().text
    left = { kind: 'binary', op: signs[word] ?? word, left, right: parsePrimary(tokens) }
  }
  return left
}

function parseValue(tokens: Tokens): Expression {
  const token = tokens.token()
  if (token === undefined || (!token.quoted && [lineEnd, '}', ';', ','].includes(token.text)))
    throw new NftFormatError(tokens.line, 'something is missing at the end of the line')
  tokens.next()
  if (token.quoted) return { kind: 'quoted', text: token.text }
  return valueOf(token.text)
}

/** `10.0.0.0/8`, `1000-2000`, `established,related`, `0x4000`, `tcp` */
export function valueOf(text: string): Expression {
  const list = text.split(',')
  if (list.length > 1) return { kind: 'flags', items: list.map(valueOf) }
  const [, base, length] = /^([0-9a-f.:]+)\/(\d+)$/.exec(text) ?? []
  if (base !== undefined) return { kind: 'prefix', base: { kind: 'value', text: base }, length: Number(length) }
  const [, first, last] = /^([0-9a-fx.:]+)-([0-9a-fx.:]+)$/.exec(text) ?? []
  if (first !== undefined && /\d|:/.test(first) && /\d|:/.test(last!))
    return { kind: 'range', first: { kind: 'value', text: first }, last: { kind: 'value', text: last! } }
  return { kind: 'value', text }
}

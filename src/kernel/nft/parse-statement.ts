// Statements of nft's text.

import { type Element, type Expression, NftFormatError, type Operator, type Statement } from '#kernel/nft/ast.ts'
import { lineEnd, type Tokens } from '#kernel/nft/lex.ts'
import { parseElement, parseLeft, parseRight, valueOf } from '#kernel/nft/parse-expression.ts'
import { parseCollection } from '#kernel/nft/parse-expression.ts'
import { parseVerdict } from '#kernel/nft/parse-verdict.ts'

/** The statements up to the end of the line. `comment` is the rule's. */
export function parseStatements(tokens: Tokens): { readonly statements: Statement[]; readonly comment?: string } {
  const statements: Statement[] = []
  let comment: string | undefined
  for (let word = tokens.peek(); word !== '' && ![lineEnd, ';', '}'].includes(word); word = tokens.peek()) {
    if (tokens.take('comment')) comment = tokens.next().text
    else statements.push(parseStatement(tokens))
  }
  return { statements, ...(comment !== undefined && { comment }) }
}

function parseStatement(tokens: Tokens): Statement {
  const word = tokens.peek()
  const verdict = word === 'queue' ? undefined : parseVerdict(tokens)
  if (verdict !== undefined) return { kind: 'verdict', verdict }
  const special = starts[word]
  if (special !== undefined) {
    tokens.next()
    return special(tokens, word)
  }
  return parseMatch(tokens)
}

const starts: Readonly<Record<string, (tokens: Tokens, word: string) => Statement>> = {
  counter(tokens) {
    const name = tokens.take('name') ? tokens.peek() : undefined
    if (name !== undefined) tokens.next()
    const packets = tokens.take('packets') ? Number(tokens.next().text) : 0
    const bytes = tokens.take('bytes') ? Number(tokens.next().text) : 0
    return { kind: 'counter', packets, bytes, ...(name !== undefined && { name }) }
  },
  queue: (tokens) => ({ kind: 'verdict', verdict: { kind: 'queue' }, words: tokens.restOfLine() }),
  log: parseLog,
  limit: parseLimit,
  reject: parseReject,
  dnat: parseNat,
  snat: parseNat,
  masquerade: parseMasquerade,
  redirect: parseMasquerade,
  add: parseChange,
  update: parseChange,
  delete: parseChange,
  notrack: () => ({ kind: 'notrack' }),
  xt: (tokens) => ({ kind: 'xt', of: tokens.next().text === 'target' ? 'target' : 'match', name: tokens.next().text }),
  flow: other(true),
  quota: other(true),
  last: other(true),
  dup: other(true),
  fwd: other(false),
  synproxy: other(false),
  tproxy: other(false),
}

function other(harmless: boolean): (tokens: Tokens, word: string) => Statement {
  return (tokens, word) => ({ kind: 'other', text: `${word} ${tokens.restOfLine()}`.trim(), harmless })
}

function parseLog(tokens: Tokens): Statement {
  let prefix = ''
  const words: string[] = []
  for (;;) {
    if (tokens.take('prefix')) prefix = tokens.next().text
    else if (['level', 'group', 'snaplen', 'queue-threshold', 'flags'].includes(tokens.peek())) {
      words.push(tokens.next().text)
      const what = tokens.next().text
      words.push(what)
      if (what === 'tcp' || what === 'ip') words.push(tokens.next().text)
    } else return { kind: 'log', prefix, ...(words.length > 0 && { words: words.join(' ') }) }
  }
}

/** `limit rate over 10/second burst 5 packets`, `limit rate 10 mbytes/second` */
function parseLimit(tokens: Tokens): Statement {
  if (tokens.take('name')) return { kind: 'other', text: `limit name ${tokens.next().text}`, harmless: false }
  tokens.take('rate')
  const over = tokens.take('over')
  const [count = '', rest] = tokens.next().text.split('/')
  const [unit, per] = rest === undefined ? tokens.next().text.split('/') : [undefined, rest]
  let burst = unit === undefined ? 5 : 0
  let burstUnit: string | undefined
  if (tokens.take('burst')) {
    burst = Number(tokens.next().text)
    burstUnit = tokens.next().text
  }
  return {
    kind: 'limit',
    over,
    rate: Number(count),
    per: per ?? 'second',
    of: unit === undefined ? 'packets' : 'bytes',
    ...(unit !== undefined && { unit }),
    burst,
    ...(burstUnit !== undefined && { burstUnit }),
  }
}

function parseReject(tokens: Tokens): Statement {
  if (!tokens.take('with')) return { kind: 'reject' }
  const what = tokens.next().text
  if (what === 'tcp') {
    tokens.take('reset')
    return { kind: 'reject', with: 'tcp reset' }
  }
  tokens.take('type')
  return { kind: 'reject', with: what, code: tokens.next().text }
}

const natFlags = ['random', 'fully-random', 'persistent']

function readFlags(tokens: Tokens): readonly string[] {
  const flags: string[] = []
  while (
    tokens
      .peek()
      .split(',')
      .every((word) => natFlags.includes(word))
  )
    flags.push(...tokens.next().text.split(','))
  return flags
}

/** `dnat to 10.0.0.5:8080`, `dnat ip to ip daddr . tcp dport map @x`, `snat to 10.0.0.1-10.0.0.9 persistent` */
function parseNat(tokens: Tokens, word: string): Statement {
  const type = word as 'dnat' | 'snat'
  const family = /^ip6?$/.test(tokens.peek()) ? tokens.next().text : undefined
  // `dnat ip addr . port to`, `dnat ip prefix to`
  const form: string[] = []
  while (tokens.peek() !== 'to' && tokens.peek() !== lineEnd && tokens.peek() !== '') form.push(tokens.next().text)
  if (!tokens.take('to')) throw new NftFormatError(tokens.line, `where ${word} leads to is missing`)
  const target = readTarget(tokens)
  return {
    kind: 'nat',
    type,
    ...(family !== undefined && { family }),
    ...(form.length > 0 && { form: form.join(' ') }),
    ...target,
    flags: readFlags(tokens),
  }
}

function readTarget(tokens: Tokens): { readonly address?: Expression; readonly port?: Expression } {
  const text = tokens.peek()
  const found = /^(?:\[([0-9a-f:.]+(?:-[0-9a-f:.]+)?)\]|([\d.]+(?:-[\d.]+)?))?:(\d+(?:-\d+)?)$/.exec(text)
  if (found !== null && !text.startsWith('"')) {
    tokens.next()
    const [, six, four, port] = found
    return { ...((six ?? four) ? { address: valueOf((six ?? four)!) } : {}), port: valueOf(port!) }
  }
  const bracketed = /^\[([0-9a-f:]+(?:-[0-9a-f:]+)?)\]$/.exec(text)
  if (bracketed !== null) {
    tokens.next()
    return { address: valueOf(bracketed[1]!) }
  }
  const address = parseRight(tokens)
  if (!tokens.take(':')) return { address }
  return { address, port: parseRight(tokens) }
}

function parseMasquerade(tokens: Tokens, word: string): Statement {
  const kind = word as 'masquerade' | 'redirect'
  const port = tokens.take('to') ? readTarget(tokens).port : undefined
  return { kind, ...(port !== undefined && { port }), flags: readFlags(tokens) }
}

/** `update @set { ip saddr timeout 5s : 1 }` */
function parseChange(tokens: Tokens, act: string): Statement {
  const set = tokens.next().text.replace(/^@/, '')
  tokens.take('{')
  tokens.skipSpace()
  const element: Element = parseElement(tokens)
  tokens.skipSpace()
  tokens.take('}')
  return { kind: 'change-set', act: act as 'add', set, element }
}

const operators: readonly Operator[] = ['==', '!=', '<', '<=', '>', '>=', '!']

function parseMatch(tokens: Tokens): Statement {
  const begin = tokens.position
  const left = parseLeft(tokens)
  if (tokens.take('vmap')) return { kind: 'vmap', key: left, to: parseCollection(tokens) }
  if (tokens.take('set')) return { kind: 'assign', to: left, value: parseRight(tokens) }
  const op = operators.find((item) => tokens.take(item)) ?? 'implicit'
  if (left.kind === 'value' || left.kind === 'quoted') {
    tokens.position = begin
    return { kind: 'other', text: tokens.restOfLine(), harmless: false }
  }
  const right = parseRight(tokens)
  // `tcp flags syn / fin,syn,rst,ack`: of these bits just those
  if (!tokens.take('/')) return { kind: 'match', left, op, right }
  const mask = parseRight(tokens)
  return {
    kind: 'match',
    left: { kind: 'binary', op: '&', left, right: mask },
    op: op === '!=' ? '!=' : '==',
    right,
    isSlash: true,
  }
}

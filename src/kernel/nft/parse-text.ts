// `nft list ruleset` as a value. What a line says that is not known becomes a statement of kind `other`; a text that is no
// ruleset at all throws NftFormatError.

import {
  type Chain,
  NftFormatError,
  priorityNamed,
  type Rule,
  type Ruleset,
  type SetObject,
  type SetType,
  type Table,
} from '#kernel/nft/ast.ts'
import { lex, lineEnd, Tokens } from '#kernel/nft/lex.ts'
import { milliseconds, parseElements, parseLeft } from '#kernel/nft/parse-expression.ts'
import { parseStatements } from '#kernel/nft/parse-statement.ts'
import type { NftFamily } from '#kernel/nftables/ruleset.ts'

/** Throws NftFormatError. */
export function parseNft(text: string): Ruleset {
  const tokens = new Tokens(lex(text))
  const tables: Table[] = []
  for (tokens.skipLines(); !tokens.isAtEnd; tokens.skipLines()) {
    if (!tokens.take('table'))
      throw new NftFormatError(tokens.line, `a table was expected, not ${tokens.peek().trim()}`)
    tables.push(parseTable(tokens))
  }
  return { tables }
}

const families = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']

function parseTable(tokens: Tokens): Table {
  const family = families.includes(tokens.peek()) ? tokens.next().text : 'ip'
  const name = tokens.next().text
  open(tokens, `table ${name}`)
  const chains: Chain[] = []
  const sets: SetObject[] = []
  let comment: string | undefined
  const others: string[] = []
  let dormant = false
  for (tokens.skipLines(); !tokens.take('}'); tokens.skipLines()) {
    if (tokens.isAtEnd) throw new NftFormatError(tokens.line, `the table ${name} has no end: the text is cut off`)
    const word = tokens.next().text
    if (word === 'chain') chains.push(parseChain(tokens, family))
    else if (word === 'set' || word === 'map') sets.push(parseSet(tokens))
    else if (word === 'comment') comment = tokens.next().text
    else if (word === 'flags') dormant = tokens.restOfLine().includes('dormant')
    else others.push(`${word} ${wholeObject(tokens)}`)
  }
  return { family: family as NftFamily, name, dormant, chains, sets, others, ...(comment !== undefined && { comment }) }
}

function open(tokens: Tokens, what: string): void {
  tokens.skipSpace()
  if (!tokens.take('{')) throw new NftFormatError(tokens.line, `${what} has no beginning`)
}

/** The words of an object up to the end of its braces, or of the line. */
function wholeObject(tokens: Tokens): string {
  const words: string[] = []
  for (let depth = 0; !tokens.isAtEnd;) {
    const word = tokens.peek()
    if (depth === 0 && (word === lineEnd || word === '}')) break
    tokens.next()
    words.push(word)
    if (word === '{') depth++
    if (word === '}' && --depth === 0) break
  }
  return words
    .join(' ')
    .replaceAll(/ *\n */g, '\n')
    .trim()
}

function parseChain(tokens: Tokens, family: string): Chain {
  const name = tokens.next().text
  open(tokens, `chain ${name}`)
  const rules: Rule[] = []
  let base: Chain['base']
  let comment: string | undefined
  for (tokens.skipLines(); !tokens.take('}'); tokens.skipLines()) {
    if (tokens.isAtEnd) throw new NftFormatError(tokens.line, `the chain ${name} has no end: the text is cut off`)
    const { line } = tokens
    if (tokens.peek() === 'type' && tokens.peek(2) === 'hook') base = parseBase(tokens, family)
    else if (tokens.take('policy'))
      base = base && { ...base, policy: tokens.next().text === 'drop' ? 'drop' : 'accept' }
    else if (tokens.peek() === 'comment' && /^[\n;]$/.test(tokens.peek(2))) {
      tokens.next()
      comment = tokens.next().text
    } else rules.push({ ...parseStatements(tokens), line })
  }
  return { name, rules, ...(base && { base }), ...(comment !== undefined && { comment }) }
}

/** `type filter hook ingress device "eth0" priority filter - 5` */
function parseBase(tokens: Tokens, family: string): NonNullable<Chain['base']> {
  tokens.next()
  const type = tokens.next().text
  tokens.next()
  const hook = tokens.next().text
  const device = tokens.take('device') ? tokens.next().text : undefined
  const devices: string[] = []
  if (tokens.take('devices'))
    while (!tokens.isAtEnd && tokens.peek() !== 'priority') {
      const { text } = tokens.next()
      if (!['=', '{', '}', ','].includes(text)) devices.push(...text.split(','))
    }
  tokens.take('priority')
  const first = tokens.next().text
  let priority = priorityNamed(first, family, hook) ?? Number(first)
  const sign = tokens.peek()
  if (sign === '+' || sign === '-') {
    tokens.next()
    priority += (sign === '+' ? 1 : -1) * Number(tokens.next().text)
  }
  return {
    type,
    hook,
    priority: Number.isNaN(priority) ? 0 : priority,
    policy: 'accept',
    ...((device ?? devices[0]) !== undefined && { device: (device ?? devices[0])! }),
    ...(devices.length > 1 && { moreDevices: devices.slice(1) }),
  }
}

function parseSet(tokens: Tokens): SetObject {
  const name = tokens.next().text
  open(tokens, `set ${name}`)
  const settings: string[] = []
  const set: { -readonly [K in keyof SetObject]: SetObject[K] } = { name, key: [], flags: [], settings, elements: [] }
  for (tokens.skipLines(); !tokens.take('}'); tokens.skipLines()) {
    if (tokens.isAtEnd) throw new NftFormatError(tokens.line, `the set ${name} has no end: the text is cut off`)
    const word = tokens.next().text
    if (word === 'type') Object.assign(set, parseTypes(tokens))
    else if (word === 'typeof') Object.assign(set, parseTypesOf(tokens))
    else if (word === 'flags') set.flags = tokens.restOfLine().split(/[\s,]+/)
    else if (word === 'timeout') set.timeoutMs = milliseconds(tokens.next().text)
    else if (word === 'comment') set.comment = tokens.next().text
    else if (word === 'elements') {
      tokens.take('=')
      set.elements = parseElements(tokens)
    } else settings.push(`${word} ${tokens.restOfLine()}`.trim())
  }
  return set
}

/** `ipv4_addr . inet_service : verdict` */
function parseTypes(tokens: Tokens): Pick<SetObject, 'key' | 'data'> {
  const [key = '', data] = tokens.restOfLine().split(' : ')
  const types = (text: string) => text.split(' . ').map((word) => word.trim())
  return { key: types(key), ...(data !== undefined && { data: data === 'verdict' ? data : types(data) }) }
}

function parseTypesOf(tokens: Tokens): Pick<SetObject, 'key' | 'data'> {
  const parts = (): readonly SetType[] => {
    const left = parseLeft(tokens)
    return left.kind === 'concat' ? left.parts : [left]
  }
  const key = parts()
  if (!tokens.take(':')) return { key }
  return { key, data: tokens.take('verdict') ? 'verdict' : parts() }
}

// `nft -j list ruleset` (libnftables-json) as a value: the same as its text would give.

import {
  type Chain,
  type Element,
  type Expression,
  NftFormatError,
  type Operator,
  priorityNamed,
  type Rule,
  type Ruleset,
  type SetObject,
  type Statement,
  type Table,
} from '#kernel/nft/ast.ts'
import { valueOf } from '#kernel/nft/parse-expression.ts'
import { isObject, type JsonObject } from '#kernel/dump/lines.ts'
import type { NftFamily, NftVerdict } from '#kernel/nftables/ruleset.ts'

type ChainDraft = Omit<Chain, 'rules'> & { rules: Rule[] }
type Draft = Omit<Table, 'chains' | 'sets'> & { chains: ChainDraft[]; sets: SetObject[] }

/** Throws NftFormatError. */
export function parseNftJson(text: string): Ruleset {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw new NftFormatError(1, `not JSON: ${(error as Error).message}`)
  }
  const list = isObject(parsed) ? parsed['nftables'] : undefined
  if (!Array.isArray(list)) throw new NftFormatError(1, 'there is no "nftables" in it')
  const tables = new Map<string, Draft>()
  const key = (object: JsonObject) => `${String(object['family'])} ${String(object['table'])}`
  for (const item of list.filter(isObject)) {
    const [[kind, object] = ['', undefined]] = Object.entries(item)
    if (!isObject(object)) continue
    if (kind === 'table') {
      const flags = [object['flags']].flat()
      tables.set(`${String(object['family'])} ${String(object['name'])}`, {
        family: String(object['family']) as NftFamily,
        name: String(object['name']),
        dormant: flags.includes('dormant'),
        chains: [],
        sets: [],
        others: [],
        ...commentOf(object),
      })
    } else if (kind === 'chain') tables.get(key(object))?.chains.push(readChain(object))
    else if (kind === 'set' || kind === 'map') tables.get(key(object))?.sets.push(readSet(object))
    else if (kind === 'rule')
      tables
        .get(key(object))
        ?.chains.find(({ name }) => name === object['chain'])
        ?.rules.push(readRule(object))
  }
  return { tables: [...tables.values()] }
}

const commentOf = (object: JsonObject): { comment?: string } =>
  typeof object['comment'] === 'string' ? { comment: object['comment'] } : {}

function readChain(object: JsonObject): ChainDraft {
  const { name, type, hook, prio, policy, dev } = object
  const head = { name: String(name), rules: [], ...commentOf(object) }
  if (typeof hook !== 'string') return head
  const [device, ...moreDevices] = [dev].flat().map(String)
  return {
    ...head,
    base: {
      type: String(type),
      hook,
      priority: typeof prio === 'number' ? prio : (priorityNamed(String(prio), String(object['family']), hook) ?? 0),
      policy: policy === 'drop' ? 'drop' : 'accept',
      ...(dev !== undefined && device !== undefined && { device }),
      ...(moreDevices.length > 0 && { moreDevices }),
    },
  }
}

function readSet(object: JsonObject): SetObject {
  const types = (value: unknown): readonly string[] => [value].flat().flatMap((item) => String(item).split(' . '))
  const { map, timeout, elem, flags } = object
  return {
    name: String(object['name']),
    key: isObject(object['type']) ? readTypeOf(object['type']) : types(object['type']),
    ...(map !== undefined && {
      data: map === 'verdict' ? ('verdict' as const) : isObject(map) ? readTypeOf(map) : types(map),
    }),
    flags: flags === undefined ? [] : [flags].flat().map(String),
    settings: typeof object['size'] === 'number' ? [`size ${object['size']}`] : [],
    ...(typeof timeout === 'number' && { timeoutMs: timeout * 1000 }),
    elements: Array.isArray(elem) ? elem.map(readElement) : [],
    ...commentOf(object),
  }
}

/** `{"typeof": ...}` of newer versions */
function readTypeOf(object: JsonObject): readonly Expression[] {
  const inner = readExpression(object['typeof'] ?? object)
  return inner.kind === 'concat' ? inner.parts : [inner]
}

/** A map's element is a pair. */
function readElement(value: unknown): Element {
  if (Array.isArray(value) && value.length === 2) {
    const key = readElement(value[0])
    const verdict = readVerdict(value[1])
    return { ...key, data: verdict ?? readExpression(value[1]) }
  }
  const elem = isObject(value) && isObject(value['elem']) ? value['elem'] : undefined
  if (elem === undefined) return { key: readExpression(value) }
  const { val, timeout, expires } = elem
  return {
    key: readExpression(val),
    ...(typeof timeout === 'number' && { timeoutMs: timeout * 1000 }),
    ...(typeof expires === 'number' && { expiresMs: expires * 1000 }),
    ...commentOf(elem),
  }
}

function readVerdict(value: unknown): NftVerdict | undefined {
  if (!isObject(value)) return undefined
  const [[kind, target] = ['', undefined]] = Object.entries(value)
  if (kind === 'jump' || kind === 'goto') return { kind, chain: String(isObject(target) ? target['target'] : target) }
  if (kind === 'accept' || kind === 'drop' || kind === 'return' || kind === 'continue' || kind === 'break')
    return { kind }
  return undefined
}

function readRule(object: JsonObject): Rule {
  const list = Array.isArray(object['expr']) ? object['expr'] : []
  return { statements: list.map(readStatement), ...commentOf(object) }
}

function readStatement(value: unknown): Statement {
  const verdict = readVerdict(value)
  if (verdict !== undefined) return { kind: 'verdict', verdict }
  const [[kind, body] = ['', undefined]] = isObject(value) ? Object.entries(value) : []
  const object = isObject(body) ? body : {}
  const read = statements[kind]
  if (read !== undefined) return read(object, kind)
  return { kind: 'other', text: JSON.stringify(value), harmless: harmless.has(kind) }
}
const harmless = new Set([
  'flow',
  'quota',
  'last',
  'dup',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'ct count',
])

const flagsOf = ({ flags }: JsonObject): readonly string[] => (flags === undefined ? [] : [flags].flat().map(String))

function readNat(object: JsonObject, kind: string): Statement {
  const { family, addr, port } = object
  return {
    kind: 'nat',
    type: kind as 'dnat',
    ...(typeof family === 'string' && { family }),
    ...(addr !== undefined && { address: readExpression(addr) }),
    ...(port !== undefined && { port: readExpression(port) }),
    flags: flagsOf(object),
  }
}

const readMasquerade = (object: JsonObject, kind: string): Statement => ({
  kind: kind as 'masquerade',
  ...(object['port'] !== undefined && { port: readExpression(object['port']) }),
  flags: flagsOf(object),
})

const statements: Readonly<Record<string, (object: JsonObject, kind: string) => Statement>> = {
  match({ op, left, right }) {
    const operator = op === 'in' || op === undefined ? 'implicit' : (op as Operator)
    return {
      kind: 'match',
      left: readExpression(left),
      op: operator,
      right: Array.isArray(right) ? { kind: 'flags', items: right.map(readExpression) } : readExpression(right),
    }
  },
  vmap: ({ key, data }) => ({ kind: 'vmap', key: readExpression(key), to: readExpression(data) }),
  dnat: readNat,
  snat: readNat,
  masquerade: readMasquerade,
  redirect: readMasquerade,
  reject: ({ type, expr }) => ({
    kind: 'reject',
    ...(typeof type === 'string' && { with: type }),
    ...(typeof expr === 'string' && { code: expr }),
  }),
  mangle: ({ key, value }) => ({ kind: 'assign', to: readExpression(key), value: readExpression(value) }),
  counter: ({ packets, bytes }) => ({ kind: 'counter', packets: Number(packets ?? 0), bytes: Number(bytes ?? 0) }),
  limit: (object) => ({
    kind: 'limit',
    over: object['inv'] === true,
    rate: Number(object['rate'] ?? 0),
    per: String(object['per'] ?? 'second'),
    of: object['rate_unit'] === undefined || object['rate_unit'] === 'packets' ? 'packets' : 'bytes',
    burst: Number(object['burst'] ?? 0),
  }),
  log: ({ prefix }) => ({ kind: 'log', prefix: typeof prefix === 'string' ? prefix : '' }),
  notrack: () => ({ kind: 'notrack' }),
  queue: () => ({ kind: 'verdict', verdict: { kind: 'queue' } }),
  set: ({ op, elem, set }) => ({ kind: 'change-set', act: op as 'add', set: nameOf(set), element: readElement(elem) }),
  map: ({ op, elem, data, map }) => ({
    kind: 'change-set',
    act: op as 'add',
    set: nameOf(map),
    element: { ...readElement(elem), data: readExpression(data) },
  }),
  xt: ({ type, name }) => ({ kind: 'xt', of: type === 'target' ? 'target' : 'match', name: String(name ?? 'unknown') }),
}
const nameOf = (value: unknown) => String(value).replace(/^@/, '')

function readExpression(value: unknown): Expression {
  if (typeof value === 'string')
    return value.startsWith('@') ? { kind: 'named', set: value.slice(1) } : valueText(value)
  // What a fib finds is there or not.
  if (typeof value === 'boolean') return { kind: 'value', text: value ? 'exists' : 'missing' }
  if (typeof value === 'number') return { kind: 'value', text: String(value) }
  if (Array.isArray(value)) return { kind: 'flags', items: value.map(readExpression) }
  if (!isObject(value)) return { kind: 'other', text: String(value) }
  const [[kind, body] = ['', undefined]] = Object.entries(value)
  return expressions[kind]?.(body, kind) ?? { kind: 'other', text: JSON.stringify(value) }
}

/** Words stay as they are: a name of an interface may look like anything. */
const valueText = (text: string): Expression =>
  /^[\w.:/-]+$/.test(text) && !text.includes('/')
    ? { kind: 'value', text }
    : text.includes('/')
      ? valueOf(text)
      : { kind: 'quoted', text }

const binary = (body: unknown, op: string): Expression | undefined =>
  Array.isArray(body)
    ? body
        .slice(1)
        .reduce<Expression>(
          (left, right) => ({ kind: 'binary', op, left, right: readExpression(right) }),
          readExpression(body[0]),
        )
    : undefined

const expressions: Readonly<Record<string, (body: unknown, kind: string) => Expression | undefined>> = {
  payload: (body) => {
    if (!isObject(body)) return undefined
    const { protocol, field, base, offset, len } = body
    return typeof protocol === 'string'
      ? { kind: 'payload', protocol, field: String(field) }
      : { kind: 'raw', base: String(base), offset: Number(offset), length: Number(len) }
  },
  meta: (body) => (isObject(body) ? { kind: 'meta', key: String(body['key']) } : undefined),
  ct: (body) => {
    if (!isObject(body)) return undefined
    const { key, dir, family } = body
    const [, own, inner] = /^(ip6?) (\w+)$/.exec(String(key)) ?? []
    return {
      kind: 'ct',
      key: inner ?? String(key),
      ...((dir === 'original' || dir === 'reply') && { direction: dir }),
      ...(typeof family === 'string' ? { family } : own !== undefined && { family: own }),
    }
  },
  fib: (body) =>
    isObject(body)
      ? { kind: 'fib', flags: [body['flags'] ?? []].flat().map(String), result: String(body['result']) }
      : undefined,
  numgen: (body) =>
    isObject(body)
      ? {
          kind: 'numgen',
          random: body['mode'] === 'random',
          mod: Number(body['mod']),
          offset: Number(body['offset'] ?? 0),
        }
      : undefined,
  jhash: (body) =>
    isObject(body)
      ? {
          kind: 'hash',
          of: readExpression(body['expr']),
          mod: Number(body['mod']),
          ...(typeof body['seed'] === 'number' && { seed: body['seed'] }),
          offset: Number(body['offset'] ?? 0),
        }
      : undefined,
  symhash: (body) =>
    isObject(body) ? { kind: 'hash', mod: Number(body['mod']), offset: Number(body['offset'] ?? 0) } : undefined,
  map: (body) =>
    isObject(body) ? { kind: 'map', key: readExpression(body['key']), to: readExpression(body['data']) } : undefined,
  concat: (body) => (Array.isArray(body) ? { kind: 'concat', parts: body.map(readExpression) } : undefined),
  set: (body) => (Array.isArray(body) ? { kind: 'set', elements: body.map(readElement) } : undefined),
  elem: (body) => (isObject(body) ? readExpression(body['val']) : undefined),
  range: (body) =>
    Array.isArray(body) ? { kind: 'range', first: readExpression(body[0]), last: readExpression(body[1]) } : undefined,
  prefix: (body) =>
    isObject(body) ? { kind: 'prefix', base: readExpression(body['addr']), length: Number(body['len']) } : undefined,
  '|': binary,
  '&': binary,
  '^': binary,
  '<<': binary,
  '>>': binary,
}

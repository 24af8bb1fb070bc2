// A ruleset as `nft` prints it, turned into the kernel's own instructions, as nft itself would do it. What cannot be turned
// becomes an instruction of kind `other` that carries its text.

import type { Chain, Expression, Rule, Ruleset, Statement, Table } from '#kernel/nft/ast.ts'
import { CodeWriter, type TableContext } from '#kernel/nft/code-writer.ts'
import { compileSet } from '#kernel/nft/compile-set.ts'
import { compileMatch } from '#kernel/nft/compile-match.ts'
import { port } from '#kernel/nft/value-type.ts'
import type { NftChain, NftHook, NftInstruction, NftRule, NftRuleset, NftTable } from '#kernel/nftables/ruleset.ts'

export type Compiled = {
  readonly ruleset: NftRuleset
  /** the line that a rule stands in, of those that were read from a text */
  readonly rules: ReadonlyMap<NftRule, Rule>
}

export function compileRuleset({ tables }: Ruleset): Compiled {
  const rules = new Map<NftRule, Rule>()
  return { ruleset: { generation: 0, torn: false, tables: tables.map((table) => compileTable(table, rules)) }, rules }
}

function compileTable(table: Table, rules: Map<NftRule, Rule>): NftTable {
  const context: TableContext = { family: table.family, sets: new Map(), anonymous: [] }
  for (const set of table.sets) context.sets.set(set.name, compileSet(set, table.family))
  const chains = table.chains.map((chain) => compileChain(chain, context, rules))
  return {
    family: table.family,
    name: table.name,
    comment: table.comment ?? '',
    dormant: table.dormant,
    chains,
    sets: [...context.sets.values(), ...context.anonymous],
  }
}

function compileChain(
  { name, comment = '', base, rules }: Chain,
  context: TableContext,
  known: Map<NftRule, Rule>,
): NftChain {
  return {
    name,
    comment,
    ...(base && { base: { ...base, hook: base.hook as NftHook } }),
    rules: rules.map((rule, index) => {
      const compiled = { handle: index + 1, comment: rule.comment ?? '', code: compileRule(rule, context) }
      known.set(compiled, rule)
      return compiled
    }),
  }
}

/** Begins the name of an `other` that would do something, rather than compare. */
export const actMark = 'does: '

function compileRule({ statements }: Rule, context: TableContext): NftInstruction[] {
  const writer = new CodeWriter(context)
  for (const statement of statements) {
    writer.resetRegisters()
    if (!compileStatement(statement, writer))
      writer.other(`${statement.kind === 'match' || statement.kind === 'other' ? '' : actMark}${describe(statement)}`)
  }
  return writer.code
}

const describe = (statement: Statement): string =>
  statement.kind === 'other' ? statement.text : JSON.stringify(statement).slice(0, 200)

/** False where it cannot be said in instructions. */
function compileStatement(one: Statement, writer: CodeWriter): boolean {
  switch (one.kind) {
    case 'match':
      return compileMatch(one, writer)
    case 'verdict':
      return writer.put({ kind: 'verdict', verdict: one.verdict })
    case 'vmap': {
      const key = writer.load(one.key)
      const set = key && writer.collection(one.to, key.types, 'verdict')
      return (
        set !== undefined && writer.put({ kind: 'lookup', set, key: key!.register, to: 'verdict', inverted: false })
      )
    }
    case 'assign':
      return assign(one.to, one.value, writer)
    case 'nat':
      return nat(one, writer)
    case 'masquerade':
    case 'redirect': {
      const to = one.port === undefined ? undefined : writer.constants(one.port, port)
      return writer.put({ kind: one.kind, ...(to && { port: to.first, portEnd: to.last }), flags: natFlags(one.flags) })
    }
    case 'reject':
      // What these answers are for is not printed where nothing else asks for it.
      if (one.with === 'tcp reset') writer.check('l4proto', Uint8Array.of(6))
      else if (writer.family === 'inet' && one.with === 'icmp') writer.check('nfproto', Uint8Array.of(2))
      else if (writer.family === 'inet' && one.with === 'icmpv6') writer.check('nfproto', Uint8Array.of(10))
      return writer.put({ kind: 'reject', ...rejection(one.with, one.code, writer.family) })
    case 'change-set': {
      const set = writer.set(one.set)
      const key = set && writer.load(one.element.key)
      if (key === undefined) return false
      const { timeoutMs } = one.element
      return writer.put({
        kind: 'change-set',
        act: one.act,
        set: one.set,
        key: key.register,
        inverted: false,
        ...(timeoutMs !== undefined && { timeoutMs }),
      })
    }
    case 'counter':
      return writer.put({ kind: 'counter', packets: one.packets, bytes: one.bytes })
    case 'limit':
      return writer.put({
        kind: 'limit',
        rate: one.rate,
        seconds: seconds[one.per] ?? 1,
        burst: one.burst,
        of: one.of,
        over: one.over,
      })
    case 'log':
      return writer.put({ kind: 'log', prefix: one.prefix })
    case 'notrack':
      return writer.put({ kind: 'other', name: 'notrack', data: new Uint8Array() })
    case 'xt':
      return writer.put({ kind: one.of, name: one.name, revision: 0, info: new Uint8Array() })
    case 'other':
      return one.harmless
  }
}

const seconds: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 }

/** Marks; other things that rules set do not change where a packet goes. */
function assign(to: Expression, value: Expression, writer: CodeWriter): boolean {
  if ((to.kind !== 'meta' && to.kind !== 'ct') || to.key !== 'mark') return to.kind !== 'payload'
  const loaded = writer.loadAs(value, { name: 'number', length: 4 })
  return (
    loaded !== undefined &&
    writer.put({ kind: to.kind === 'meta' ? 'meta-set' : 'ct-set', from: loaded.register, key: 'mark' })
  )
}

const natFlags = (flags: readonly string[]): number =>
  (flags.includes('random') ? 4 : 0) |
  (flags.includes('persistent') ? 8 : 0) |
  (flags.includes('fully-random') ? 0x10 : 0)

function nat(
  { type, family, address, port: portExpression, flags }: Extract<Statement, { kind: 'nat' }>,
  writer: CodeWriter,
): boolean {
  const own = family ?? (writer.family === 'ip' || writer.family === 'ip6' ? writer.family : addressFamily(address))
  if (own !== 'ip' && own !== 'ip6') return false
  const target = address === undefined ? undefined : writer.natTarget(address, own)
  const to =
    portExpression === undefined
      ? undefined
      : (writer.constants(portExpression, port) ?? writer.loadedPort(portExpression))
  if ((address !== undefined && target === undefined) || (portExpression !== undefined && to === undefined))
    return false
  return writer.put({
    kind: 'nat',
    type,
    family: own,
    ...(target && { address: target.address, addressEnd: target.addressEnd }),
    ...(to
      ? { port: to.first, portEnd: to.last }
      : target?.port !== undefined && { port: target.port, portEnd: target.port }),
    flags: natFlags(flags) | 3,
  })
}

/** In tables of both families the address tells. */
function addressFamily(address: Expression | undefined): string | undefined {
  const text = JSON.stringify(address ?? '')
  return /"text":"[0-9a-f]*:[0-9a-f:.]*"/.test(text)
    ? 'ip6'
    : /"text":"\d+\.\d+\.\d+\.\d+"/.test(text)
      ? 'ip'
      : undefined
}

const codes: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  icmp: {
    'net-unreachable': 0,
    'host-unreachable': 1,
    'prot-unreachable': 2,
    'port-unreachable': 3,
    'frag-needed': 4,
    'net-prohibited': 9,
    'host-prohibited': 10,
    'admin-prohibited': 13,
  },
  icmpv6: {
    'no-route': 0,
    'admin-prohibited': 1,
    'addr-unreachable': 3,
    'port-unreachable': 4,
    'policy-fail': 5,
    'reject-route': 6,
  },
  icmpx: { 'no-route': 0, 'port-unreachable': 1, 'host-unreachable': 2, 'admin-prohibited': 3 },
}

function rejection(
  how: string | undefined,
  code: string | undefined,
  family: string,
): { readonly with: 'tcp reset' | 'icmp' | 'icmpx'; readonly code: number } {
  if (how === 'tcp reset') return { with: 'tcp reset', code: 0 }
  const kind = how ?? (family === 'ip' ? 'icmp' : family === 'ip6' ? 'icmpv6' : 'icmpx')
  return {
    with: kind === 'icmpx' ? 'icmpx' : 'icmp',
    code: codes[kind]?.[code ?? 'port-unreachable'] ?? (Number(code) || 0),
  }
}

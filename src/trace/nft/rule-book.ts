// Rules of nftables as the walk through chains needs them: their instructions are run on the packet, one after the other.

import { actMark } from '#kernel/nft/compile.ts'
import type { NftChain, NftInstruction, NftRule, NftSet, NftTable, NftVerdict } from '#kernel/nftables/ruleset.ts'
import { ruleText } from '#kernel/nftables/rule-text.ts'
import { verdictText } from '#kernel/nftables/value-text.ts'
import { type Act, mostWays, type RuleBook } from '#trace/chain/chain.ts'
import { fraction, randomShare } from '#trace/fraction.ts'
import type { Origin } from '#trace/machine.ts'
import { compareValue, rangeHolds } from '#trace/nft/compare.ts'
import { loadConnection, loadFib, loadMeta, loadPayload, type Load } from '#trace/nft/load-value.ts'
import { lookUp } from '#trace/nft/lookup.ts'
import { rejectName, rewriteAct } from '#trace/nft/rewrite.ts'
import {
  emptyRegisters,
  host32,
  load,
  masked,
  read,
  readHost32,
  type Registers,
  shifted,
  swapped,
} from '#trace/nft/registers.ts'
import type { Place } from '#trace/place.ts'
import {
  assume,
  bothWays,
  type Matched,
  type Step,
  type Way,
  withPacket,
  withShare,
  withStep,
  wordsOf,
} from '#trace/way.ts'

/** Where rules stand in a text, if they were read from one. */
export type RuleSources = ReadonlyMap<NftRule, { readonly text: string; readonly origin: Origin }>

export type NftContext = {
  readonly table: NftTable
  readonly sets: ReadonlyMap<string, NftSet>
  readonly sources: RuleSources | undefined
  readonly place: Place
}

const preparedTables = new WeakMap<
  NftTable,
  { readonly chains: ReadonlyMap<string, NftChain>; readonly sets: ReadonlyMap<string, NftSet> }
>()

function prepared(table: NftTable) {
  const known = preparedTables.get(table)
  if (known !== undefined) return known
  const made = {
    chains: new Map(table.chains.map((chain) => [chain.name, chain])),
    sets: new Map(table.sets.map((set) => [set.name, set])),
  }
  preparedTables.set(table, made)
  return made
}

export function nftBook(table: NftTable, place: Place, sources: RuleSources | undefined): RuleBook<NftRule> {
  const { chains, sets } = prepared(table)
  const context: NftContext = { table, sets, sources, place }
  return {
    rules: (chain) => chains.get(chain)?.rules,
    act(rule, way, chain) {
      const run: Run = { context, rule, chain, misses: [] }
      const acts = execute(run, 0, { way, registers: emptyRegisters, matched: [], changed: [] })
      if (acts.length === 0 && run.misses.length === 1 && run.misses[0]!.way === way && !place.all) return undefined
      const missed = run.misses.map(({ way: left, why, state }): Act => ({
        kind: 'continue',
        way: onMiss(run, left, why, state),
      }))
      return [...acts, ...missed]
    },
  }
}

type State = {
  readonly way: Way
  readonly registers: Registers
  readonly matched: readonly string[]
  /** what the rule did on its way, in words */
  readonly changed: readonly string[]
}

type Run = {
  readonly context: NftContext
  readonly rule: NftRule
  readonly chain: string
  readonly misses: { readonly way: Way; readonly why: string; readonly state: State }[]
}

/** A rule that has changed something before it broke off has done so. */
function onMiss(run: Run, way: Way, why: string, state: State): Way {
  if (state.changed.length > 0) return withStep(way, stepOf(run, state, state.changed.join(', '), 'act'))
  return run.context.place.all ? withStep(way, stepOf(run, state, `does not match: ${why}`, 'look')) : way
}

function stepOf({ context, rule, chain }: Run, state: State, effect: string, weight: Step['weight']): Step {
  const { table, sets, sources, place } = context
  const source = sources?.get(rule)
  const comment = rule.comment === '' ? '' : `  # ${rule.comment}`
  return {
    machine: place.machine.name,
    place: `${table.family} ${table.name} ${place.hook}`,
    chain,
    rule: source?.text ?? `${ruleText(rule, table.family, sets).join('; ')}${comment}`,
    ...(source === undefined ? { handle: rule.handle } : { origin: source.origin }),
    matched: state.matched,
    effect: [...state.changed, effect].filter((text, i, all) => all.indexOf(text) === i).join(', '),
    weight,
  }
}

function execute(run: Run, from: number, start: State): readonly Act[] {
  const { code } = run.rule
  let state = start
  for (let at = from; at < code.length; at++) {
    const done = perform(run, code[at]!, state)
    switch (done.kind) {
      case 'next':
        state = done.state
        continue
      case 'miss':
        run.misses.push({ way: state.way, why: done.why, state })
        return []
      case 'fork':
        return done.states.flatMap((next) =>
          'why' in next
            ? (run.misses.push({ way: next.state.way, why: next.why, state: next.state }), [])
            : execute(run, at + 1, next.state),
        )
      case 'acts':
        return done.acts
      case 'verdict':
        return obey(run, done.verdict, done.state, at)
    }
  }
  if (state.changed.length > 0)
    return [{ kind: 'continue', way: withStep(state.way, stepOf(run, state, state.changed.at(-1)!, 'act')) }]
  run.misses.push({ way: state.way, why: 'it only counts', state })
  return []
}

type Done =
  | { readonly kind: 'next'; readonly state: State }
  | { readonly kind: 'miss'; readonly why: string }
  | {
      readonly kind: 'fork'
      readonly states: readonly ({ readonly state: State } | { readonly state: State; readonly why: string })[]
    }
  | { readonly kind: 'acts'; readonly acts: readonly Act[] }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict; readonly state: State }

const next = (state: State): Done => ({ kind: 'next', state })

function obey(run: Run, verdict: NftVerdict, state: State, at: number): readonly Act[] {
  const step = (effect: string, weight: Step['weight']) =>
    withStep(state.way, stepOf(run, state, effect, state.changed.length > 0 ? 'act' : weight))
  switch (verdict.kind) {
    case 'accept':
      return [{ kind: 'accept', way: step('accepted', 'turn') }]
    case 'drop':
      return [{ kind: 'end', way: step('dropped', 'act'), end: { kind: 'drop' } }]
    case 'return':
      return [{ kind: 'return', way: step('returns', 'turn') }]
    case 'jump':
    case 'goto':
      return [
        {
          kind: verdict.kind,
          way: step(`${verdict.kind === 'jump' ? 'jumps' : 'goes'} to ${verdict.chain}`, 'turn'),
          chain: verdict.chain,
        },
      ]
    case 'queue':
      return [
        {
          kind: 'end',
          way: step('is handed to a program', 'act'),
          end: { kind: 'unknown', what: 'a program that listens to the queue decides' },
        },
      ]
    case 'continue':
      return execute(run, at + 1, state)
    case 'break':
      run.misses.push({ way: state.way, why: verdictText(verdict), state })
      return []
  }
}

function put(state: State, to: number, loaded: Load): Done {
  if (loaded === 'nothing') return { kind: 'miss', why: 'there is nothing to compare' }
  return next({ ...state, registers: load(state.registers, to, loaded) })
}

/** Goes both ways where it must. */
export function decide(state: State, matched: Matched): Done {
  const with_ = (way: Way, why: string | undefined): State => ({
    ...state,
    way,
    matched: why === undefined ? state.matched : [...state.matched, why],
  })
  switch (matched.kind) {
    case 'yes':
      return next(with_(state.way, matched.why))
    case 'no':
      return { kind: 'miss', why: matched.why }
    case 'share':
      return next(with_(withShare(state.way, matched.share), matched.why))
    case 'maybe': {
      const { holds, fails } = bothWays(state.way, matched)
      const words = wordsOf(matched)
      if (holds === undefined) return { kind: 'miss', why: words.fails }
      if (fails === undefined) return next(with_(holds, words.holds))
      return {
        kind: 'fork',
        states: [{ state: with_(holds, words.holds) }, { state: { ...state, way: fails }, why: words.fails }],
      }
    }
  }
}

function perform(run: Run, one: NftInstruction, state: State): Done {
  const { registers, way } = state
  const { packet } = way
  const { place } = run.context
  switch (one.kind) {
    case 'immediate':
      return put(state, one.to, one.value)
    case 'verdict':
      return { kind: 'verdict', verdict: one.verdict, state }
    case 'payload':
      return put(state, one.to, loadPayload(one.at, packet))
    case 'meta':
      return put(state, one.to, loadMeta(one.key, packet, place))
    case 'ct':
      return put(state, one.to, loadConnection(one.key, one.direction, packet))
    case 'fib':
      return put(state, one.to, loadFib(one, packet, place))
    case 'compare':
      return decide(state, compareValue(read(registers, one.register, one.value.length), one))
    case 'range':
      return decide(state, rangeHolds(read(registers, one.register, one.first.length), one))
    case 'bitwise':
      return put(state, one.to, masked(read(registers, one.from, one.mask.length), one.mask, one.xor))
    case 'shift':
      return put(state, one.to, shifted(read(registers, one.from, one.length), one.bits, one.left))
    case 'byteorder':
      return put(state, one.to, swapped(read(registers, one.from, one.length), one.size))
    case 'lookup':
      return lookup(run, one, state)
    case 'number':
      return choose(run, state, one)
    case 'hash':
      return put(state, one.to, { what: 'the hash of the packet is', length: 4 })
    case 'limit':
      return decide(state, {
        kind: 'maybe',
        condition: `${one.over ? 'more' : 'no more'} than ${one.rate} ${one.of} in ${one.seconds} s came by here`,
      })
    case 'meta-set':
    case 'ct-set':
      return assign(one, state)
    case 'nat':
    case 'masquerade':
    case 'redirect':
    case 'reject':
      return end(run, one, state)
    case 'counter':
    case 'log':
    case 'change-set':
    case 'payload-set':
      return next(state)
    case 'match':
    case 'target':
    case 'other':
      return foreign(run, one, state)
  }
}

/** One way for each number that `numgen` may give. */
function choose(
  run: Run,
  state: State,
  { to, below, offset, random }: Extract<NftInstruction, { kind: 'number' }>,
): Done {
  if (!(below > 0 && below <= mostWays)) {
    const what = `a choice of one of ${below} is not followed`
    return {
      kind: 'acts',
      acts: [
        { kind: 'end', way: withStep(state.way, stepOf(run, state, what, 'act')), end: { kind: 'unknown', what } },
      ],
    }
  }
  const states = Array.from({ length: below }, (_, i) => {
    const share = random ? randomShare(below, i) : fraction(1n, BigInt(below))
    return {
      state: {
        ...state,
        way: withShare(state.way, share),
        registers: load(state.registers, to, host32(i + offset)),
        matched: [...state.matched, below === 1 ? 'the only choice' : `choice ${i + 1} of ${below}`],
      },
    }
  })
  return { kind: 'fork', states }
}

function lookup(run: Run, one: Extract<NftInstruction, { kind: 'lookup' }>, state: State): Done {
  const set = run.context.sets.get(one.set)
  if (set === undefined) return { kind: 'miss', why: `there is no set ${one.set}` }
  const results = lookUp(set, one, state.registers, state.way)
  if (results.length === 1 && results[0]!.found === undefined && one.inverted !== true)
    if (results[0]!.way === state.way) return { kind: 'miss', why: results[0]!.why }
  const states: ({ readonly state: State } | { readonly state: State; readonly why: string })[] = []
  const acts: Act[] = []
  for (const { way, why, found } of results) {
    const after: State = { ...state, way, matched: [...state.matched, why] }
    if ((found === undefined) !== one.inverted) states.push({ state: { ...state, way }, why })
    else if (found === undefined || one.to === undefined) states.push({ state: after })
    else if (one.to === 'verdict')
      acts.push(...obey(run, found.verdict ?? { kind: 'drop' }, after, run.rule.code.indexOf(one)))
    else states.push({ state: { ...after, registers: load(state.registers, one.to, found.data ?? new Uint8Array(4)) } })
  }
  if (acts.length === 0) return { kind: 'fork', states }
  for (const item of states)
    if ('why' in item) run.misses.push({ way: item.state.way, why: item.why, state: item.state })
  return { kind: 'acts', acts }
}

function assign(one: Extract<NftInstruction, { kind: 'meta-set' | 'ct-set' }>, state: State): Done {
  if (one.key !== 'mark') return next(state)
  const value = read(state.registers, one.from, 4)
  if (!(value instanceof Uint8Array)) return next(state)
  const mark = readHost32(value)
  const { connection } = state.way.packet
  if (one.kind === 'ct-set' && connection === undefined) return next(state)
  const change = one.kind === 'meta-set' ? { mark } : { connection: { ...connection!, mark } }
  const effect = `${one.kind === 'meta-set' ? 'mark' : "the connection's mark"} becomes 0x${mark.toString(16)}`
  return next({ ...state, way: withPacket(state.way, change), changed: [...state.changed, effect] })
}

function end(
  run: Run,
  one: Extract<NftInstruction, { kind: 'nat' | 'masquerade' | 'redirect' | 'reject' }>,
  state: State,
): Done {
  if (one.kind === 'reject') {
    const name = rejectName(one, state.way.packet)
    const way = withStep(state.way, stepOf(run, state, `refused with ${name}`, 'act'))
    return { kind: 'acts', acts: [{ kind: 'end', way, end: { kind: 'reject', with: name } }] }
  }
  const acts = rewriteAct(one, state.registers, state.way, run.context.place).map(({ way, effect }): Act => ({
    kind: 'accept',
    way: withStep(way, stepOf(run, state, effect, 'act')),
  }))
  return { kind: 'acts', acts }
}

const harmless = new Set(['objref', 'last', 'quota', 'flow_offload', 'dup', 'connlimit', 'counter'])

/** Matches and targets of iptables in their own binary form, and instructions that are not read. */
function foreign(run: Run, one: Extract<NftInstruction, { kind: 'match' | 'target' | 'other' }>, state: State): Done {
  if (one.kind === 'match' && one.name === 'comment') return next(state)
  if (one.kind === 'other' && harmless.has(one.name)) return next(state)
  if (one.kind === 'other' && one.name === 'notrack') {
    const { connection: _, ...packet } = state.way.packet
    return next({
      ...state,
      way: { ...state.way, packet: { ...packet, state: 'UNTRACKED' } },
      changed: [...state.changed, 'is not tracked'],
    })
  }
  const where = `rule ${run.rule.handle} of ${run.chain}`
  const what =
    one.kind === 'other'
      ? `${where}, which nft does not print in full,`
      : `iptables' ${one.kind} ${one.name} in ${where}`
  // What nft prints leaves things out; the kernel's own instructions do not.
  const missing =
    one.kind !== 'other'
      ? 'iptables-save'
      : run.context.sources === undefined
        ? 'a reader of that instruction'
        : 'fairway snapshot, which has rules in full'
  const acts = one.kind === 'target' || one.name.startsWith(actMark)
  if (!acts) return decide(state, { kind: 'maybe', condition: `${what} matches`, missing })
  const condition = `${what} lets it go on`
  const stopped = assume(state.way, condition, false, missing)
  return {
    kind: 'acts',
    acts: [
      { kind: 'continue', way: assume(state.way, condition, true, missing) },
      {
        kind: 'end',
        way: withStep(stopped, stepOf(run, state, 'what it does is not known', 'act')),
        end: { kind: 'unknown', what },
      },
    ],
  }
}

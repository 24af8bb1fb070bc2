// What each instruction of a rule of nftables does.

import { actMark } from '#kernel/nft/compile.ts'
import type { NftInstruction } from '#kernel/nftables/ruleset.ts'
import { type Act, mostWays } from '#trace/chain/chain.ts'
import { fraction, randomShare } from '#trace/fraction.ts'
import { compareValue, rangeHolds } from '#trace/nft/compare.ts'
import { type Load, loadConnection, loadFib, loadHash, loadMeta, loadPayload } from '#trace/nft/load-value.ts'
import { lookUp } from '#trace/nft/lookup.ts'
import { host32, load, masked, read, readHost32, shifted, swapped } from '#trace/nft/registers.ts'
import { rejectName, rewriteAct } from '#trace/nft/rewrite.ts'
import { type Branch, type Done, type Run, type State, stepOf } from '#trace/nft/run.ts'
import { assume, bothWays, type Matched, type Way, withPacket, withShare, withStep, wordsOf } from '#trace/way.ts'

/** One instruction of a rule. */
export function perform(run: Run, one: NftInstruction, state: State): Done {
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
      return put(state, one.to, loadHash(one, packet))
    case 'limit':
      return decide(state, {
        kind: 'maybe',
        condition: `no more than ${one.rate} ${one.of} in ${one.seconds} s came by rule ${run.rule.handle} of ${run.chain}${packet.answers ? ' when the answer did' : ''}`,
        unless: one.over,
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

const next = (state: State): Done => ({ kind: 'next', state })

function put(state: State, to: number, loaded: Load): Done {
  if (loaded === 'nothing') return { kind: 'miss', why: 'there is nothing to compare' }
  return next({ ...state, registers: load(state.registers, to, loaded) })
}

/** Goes both ways where it must. */
function decide(state: State, matched: Matched): Done {
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
        branches: [{ state: with_(holds, words.holds) }, { state: { ...state, way: fails }, why: words.fails }],
      }
    }
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
  const branches = Array.from({ length: below }, (_, i): Branch => {
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
  return { kind: 'fork', branches }
}

function lookup(run: Run, one: Extract<NftInstruction, { kind: 'lookup' }>, state: State): Done {
  const set = run.context.sets.get(one.set)
  if (set === undefined) return { kind: 'miss', why: `there is no set ${one.set}` }
  const results = lookUp(set, one, state.registers, state.way)
  if (results.length === 1 && results[0]!.found === undefined && one.inverted !== true)
    if (results[0]!.way === state.way) return { kind: 'miss', why: results[0]!.why }
  const branches = results.map(({ way, why, found }): Branch => {
    const after: State = { ...state, way, matched: [...state.matched, why] }
    if ((found === undefined) !== one.inverted) return { state: { ...state, way }, why }
    if (found === undefined || one.to === undefined) return { state: after }
    if (one.to === 'verdict') return { state: after, verdict: found.verdict ?? { kind: 'drop' } }
    return { state: { ...after, registers: load(state.registers, one.to, found.data ?? new Uint8Array(4)) } }
  })
  return { kind: 'fork', branches }
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
    // What is tracked by now stays so.
    if (state.way.packet.connection !== undefined) return next(state)
    const way = withPacket(state.way, { state: 'UNTRACKED' })
    return next({ ...state, way, changed: [...state.changed, 'is not tracked'] })
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
  const of = state.way.packet.answers ? ' the answer' : ''
  const acts = one.kind === 'target' || one.name.startsWith(actMark)
  if (!acts) return decide(state, { kind: 'maybe', condition: `${what} matches${of}`, missing })
  const condition = `${what} lets ${of === '' ? 'it' : 'the answer'} go on`
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

// Rules of nftables as the walk through chains needs them: their instructions are run on the packet, one after the other.

import { actMark } from '#kernel/nft/compile.ts'
import type { NftChain, NftInstruction, NftRule, NftSet, NftTable, NftVerdict } from '#kernel/nftables/ruleset.ts'
import { verdictText } from '#kernel/nftables/value-text.ts'
import type { Act, RuleBook } from '#trace/chain/chain.ts'
import type { NftDump } from '#trace/machine.ts'
import { perform } from '#trace/nft/perform.ts'
import { emptyRegisters } from '#trace/nft/registers.ts'
import { type Branch, type NftContext, type Run, type State, stepOf } from '#trace/nft/run.ts'
import type { Place } from '#trace/place.ts'
import { type Step, type Way, withStep } from '#trace/way.ts'

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

export function nftBook(table: NftTable, place: Place, sources: NftDump['sources']): RuleBook<NftRule> {
  const { chains, sets } = prepared(table)
  const context: NftContext = { table, sets, sources, place }
  return {
    rules: (chain) => chains.get(chain)?.rules,
    act(rule, way, chain) {
      if (isIdle(rule)) return place.all ? [passed(context, rule, way, chain)] : undefined
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

const idle = new WeakMap<NftRule, boolean>()

/** It only counts or logs: whether it matches makes no difference. */
function isIdle(rule: NftRule): boolean {
  const known = idle.get(rule)
  if (known !== undefined) return known
  const is = !rule.code.some(changesSomething)
  idle.set(rule, is)
  return is
}

function changesSomething(one: NftInstruction): boolean {
  switch (one.kind) {
    case 'verdict':
    case 'nat':
    case 'masquerade':
    case 'redirect':
    case 'reject':
    case 'target':
      return true
    case 'lookup':
      return one.to === 'verdict'
    case 'meta-set':
    case 'ct-set':
      return one.key === 'mark'
    case 'other':
      return one.name === 'notrack' || one.name.startsWith(actMark)
    default:
      return false
  }
}

const passed = (context: NftContext, rule: NftRule, way: Way, chain: string): Act => {
  const state: State = { way, registers: emptyRegisters, matched: [], changed: [] }
  const step = stepOf({ context, rule, chain, misses: [] }, state, 'counts or logs at most', 'look')
  return { kind: 'continue', way: withStep(way, step) }
}

/** A rule that has changed something before it broke off has done so. */
function onMiss(run: Run, way: Way, why: string, state: State): Way {
  if (state.changed.length > 0) return withStep(way, stepOf(run, state, state.changed.join(', '), 'act'))
  return run.context.place.all ? withStep(way, stepOf(run, state, `does not match: ${why}`, 'look')) : way
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
        return done.branches.flatMap((branch) => takeBranch(run, branch, at))
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

function takeBranch(run: Run, { state, why, verdict }: Branch, at: number): readonly Act[] {
  if (verdict !== undefined) return obey(run, verdict, state, at)
  if (why === undefined) return execute(run, at + 1, state)
  run.misses.push({ way: state.way, why, state })
  return []
}

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

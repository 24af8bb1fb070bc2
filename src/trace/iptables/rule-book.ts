// Rules of iptables as the walk through chains needs them: match, then act.

import { renderRule } from '#kernel/iptables/render-rule.ts'
import type { Rule, Target } from '#kernel/iptables/rule.ts'
import type { Act, RuleBook } from '#trace/chain/chain.ts'
import { complement } from '#trace/fraction.ts'
import { nextRule } from '#trace/iptables/destination-index.ts'
import { isPlainlyOther, matchRule } from '#trace/iptables/match.ts'
import { actOther, isHarmless } from '#trace/iptables/target-other.ts'
import type { IptablesRules, TracedChain } from '#trace/machine.ts'
import { destinationNat, masquerade, sourceNat } from '#trace/nat.ts'
import type { Place } from '#trace/place.ts'
import { bothWays, type Step, type Way, withPacket, withShare, withStep, wordsOf } from '#trace/way.ts'

export function iptablesBook(rules: IptablesRules, table: string, place: Place): RuleBook<Rule> {
  const chains = rules.get(table)
  return {
    rules: (chain) => chains?.get(chain)?.rules,
    skip: (chain, way, at) => (place.all ? at : nextRule(chains!.get(chain)!, way.packet.destination, at)),
    act(rule, way, chain, index) {
      if (!place.all && isPlainlyOther(rule, way.packet)) return undefined
      const { taken, missed, matched, why } = match(rule, way, place)
      const step = (effect: string, weight: Step['weight']): Step =>
        stepOf(chains!.get(chain)!, index, rule, { place, table, matched, effect, weight })
      if (isIdle(rule) && missed.length > 0 && taken !== undefined)
        return place.all ? [{ kind: 'continue', way: withStep(way, step('may pass, and goes on', 'look')) }] : undefined
      const otherwise = missed.map((left): Act => ({ kind: 'continue', way: left }))
      if (taken === undefined) {
        if (place.all)
          return otherwise.map((act) => ({ ...act, way: withStep(act.way, step(`does not match: ${why}`, 'look')) }))
        return undefined
      }
      return [...act(rule, taken, place, step), ...otherwise]
    },
  }
}

/** Whether it matches makes no difference to where a packet goes. */
const isIdle = ({ target }: Rule): boolean =>
  target === undefined || (target.kind === 'other' && isHarmless(target.name, target.words))

function stepOf(
  chain: TracedChain,
  index: number,
  rule: Rule,
  more: { readonly place: Place; readonly table: string } & Pick<Step, 'matched' | 'effect' | 'weight'>,
): Step {
  const words = renderRule(rule)
  return {
    machine: more.place.machine.name,
    place: `${more.table} ${more.place.hook}`,
    chain: chain.name,
    rule: words === '' ? `-A ${chain.name}` : `-A ${chain.name} ${words}`,
    origin: { file: chain.file, line: chain.lines[index] ?? 0 },
    matched: more.matched,
    effect: more.effect,
    weight: more.weight,
  }
}

type Tried = {
  /** the way on which all parts match */
  readonly taken: Way | undefined
  /** ways on which a part that could go both ways does not; the way itself where a part plainly does not */
  readonly missed: readonly Way[]
  readonly matched: readonly string[]
  /** why not */
  readonly why: string
}

function match(rule: Rule, from: Way, place: Place): Tried {
  let way = from
  const missed: Way[] = []
  const matched: string[] = []
  for (const part of matchRule(rule, { packet: from.packet, machine: place.machine, hook: place.hook })) {
    if (part.kind === 'no') return { taken: undefined, missed: [...missed, way], matched, why: part.why }
    if (part.kind === 'yes') {
      if (part.why !== undefined) matched.push(part.why)
    } else if (part.kind === 'share') {
      missed.push(withShare(way, complement(part.share)))
      way = withShare(way, part.share)
      matched.push(part.why ?? 'chosen at random')
    } else {
      const { holds, fails } = bothWays(way, part)
      const words = wordsOf(part)
      if (fails !== undefined) missed.push(fails)
      if (holds === undefined) return { taken: undefined, missed, matched, why: `it is taken: ${words.fails}` }
      way = holds
      matched.push(words.holds)
    }
  }
  return { taken: way, missed, matched, why: '' }
}

type MakeStep = (effect: string, weight: Step['weight']) => Step

function act(rule: Rule, way: Way, place: Place, step: MakeStep): readonly Act[] {
  const { target } = rule
  if (target === undefined)
    return [{ kind: 'continue', way: place.all ? withStep(way, step('is counted', 'look')) : way }]
  switch (target.kind) {
    case 'verdict':
      if (target.verdict === 'RETURN') return [{ kind: 'return', way: withStep(way, step('returns', 'turn')) }]
      if (target.verdict === 'ACCEPT') return [{ kind: 'accept', way: withStep(way, step('accepted', 'turn')) }]
      return [{ kind: 'end', way: withStep(way, step('dropped', 'act')), end: { kind: 'drop' } }]
    case 'reject':
      return [
        {
          kind: 'end',
          way: withStep(way, step(`refused with ${target.with}`, 'act')),
          end: { kind: 'reject', with: target.with },
        },
      ]
    case 'jump':
    case 'goto': {
      const effect = `${target.kind === 'jump' ? 'jumps' : 'goes'} to ${target.chain}`
      return [{ kind: target.kind, way: withStep(way, step(effect, 'turn')), chain: target.chain }]
    }
    case 'mark': {
      const mark = ((way.packet.mark & ~target.mark.mask) ^ target.mark.value) >>> 0
      const marked = withStep(way, step(`mark becomes 0x${mark.toString(16)}`, 'act'))
      return [{ kind: 'continue', way: withPacket(marked, { mark }) }]
    }
    case 'dnat':
    case 'snat':
    case 'masquerade':
      return rewrite(target, way, place, step)
    case 'other':
      return actOther(target.name, target.words, way, place, step)
  }
}

function rewrite(
  target: Extract<Target, { kind: 'dnat' | 'snat' | 'masquerade' }>,
  way: Way,
  place: Place,
  step: MakeStep,
): readonly Act[] {
  const rewritten =
    target.kind === 'dnat'
      ? destinationNat(way, target.to)
      : target.kind === 'snat'
        ? sourceNat(way, target.to)
        : masquerade(way, place.machine)
  return rewritten.map(({ way: after, effect }) => ({ kind: 'accept', way: withStep(after, step(effect, 'act')) }))
}

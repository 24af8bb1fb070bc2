// A packet through one chain of iptables, and the chains that it jumps to: every way it may go, each with its share
// and the conditions that it hangs on.

import type { Target } from '#kernel/iptables/rule.ts'
import { complement, one, times, type Fraction } from '#trace/fraction.ts'
import { matchRule } from '#trace/iptables/match.ts'
import { rewriteDestination, rewriteSource } from '#trace/iptables/rewrite.ts'
import type { IptablesRules, Machine, TracedRule } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'

export type Step = {
  readonly table: string
  readonly chain: string
  readonly rule: TracedRule
  /** what happened, in words: `jumps to KUBE-SVC-...`, `destination becomes 10.244.1.5:80` */
  readonly effect: string
}

export type End =
  /** the end of the table was reached, or the packet was accepted in it */
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'reject'; readonly with: string }
  /** a target whose working is not known */
  | { readonly kind: 'unknown'; readonly target: string }

export type Way = {
  readonly share: Fraction
  /** what must hold for this way, beyond chance */
  readonly conditions: readonly string[]
  /** inputs that would decide the conditions */
  readonly missing: readonly string[]
  readonly packet: Packet
  readonly steps: readonly Step[]
  readonly end: End
}

type Open = Omit<Way, 'end'>
type Result = { readonly ended: Way[]; readonly fellThrough: Open[] }

/** How deep chains may jump into each other; the kernel refuses loops, a mailed dump may have one. */
const deepest = 64

/** Every way of a packet through a built-in chain of a table. */
export function walkChain(rules: IptablesRules, table: string, chain: string, packet: Packet, machine: Machine): Way[] {
  const start: Open = { share: one, conditions: [], missing: [], packet, steps: [] }
  const first = rules.get(table)?.get(chain)
  if (first === undefined) return [{ ...start, end: { kind: 'accept' } }]
  const { ended, fellThrough } = run(rules, table, chain, start, machine, 0)
  const policy: End = first.policy === 'DROP' ? { kind: 'drop' } : { kind: 'accept' }
  return [...ended, ...fellThrough.map((way) => ({ ...way, end: policy }))]
}

function run(rules: IptablesRules, table: string, chain: string, from: Open, machine: Machine, depth: number): Result {
  const ended: Way[] = []
  const fellThrough: Open[] = []
  const found = rules.get(table)?.get(chain)
  if (found === undefined || depth > deepest) {
    const target = found === undefined ? `chain ${chain} does not exist` : `${chain} jumps in a circle`
    return { ended: [{ ...from, end: { kind: 'unknown', target } }], fellThrough }
  }
  // Ways still inside this chain, with the rule that each looks at next.
  const open: { way: Open; at: number }[] = [{ way: from, at: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    let { way } = next
    let at = next.at
    for (; at < found.rules.length; at++) {
      const rule = found.rules[at]!
      const matched = matchRule(rule.rule, way.packet, machine)
      if (matched.kind === 'no') continue
      if (matched.kind === 'share' || matched.kind === 'maybe') open.push({ way: missed(way, matched), at: at + 1 })
      way = taken(way, matched)
      const outcome = act(rules, table, chain, rule, way, machine, depth)
      ended.push(...outcome.ended)
      if (outcome.returns) fellThrough.push(...outcome.next)
      else for (const [index, after] of outcome.next.entries()) if (index > 0) open.push({ way: after, at: at + 1 })
      const [first] = outcome.returns ? [] : outcome.next
      if (first === undefined) break
      way = first
    }
    if (at === found.rules.length) fellThrough.push(way)
  }
  return { ended, fellThrough }
}

type Undecided = Extract<ReturnType<typeof matchRule>, { kind: 'share' | 'maybe' }>

function missed(way: Open, matched: Undecided): Open {
  if (matched.kind === 'share') return { ...way, share: times(way.share, complement(matched.share)) }
  return withCondition(way, `not: ${matched.condition}`, matched.missing)
}

function taken(way: Open, matched: ReturnType<typeof matchRule>): Open {
  if (matched.kind === 'share') return { ...way, share: times(way.share, matched.share) }
  return matched.kind === 'maybe' ? withCondition(way, matched.condition, matched.missing) : way
}

const withCondition = (way: Open, condition: string, missing: string | undefined): Open => ({
  ...way,
  conditions: [...way.conditions, condition],
  missing: missing === undefined || way.missing.includes(missing) ? way.missing : [...way.missing, missing],
})

/** `next`: ways that go on behind this rule, or (returns) behind the rule that jumped here. */
type Outcome = { readonly ended: readonly Way[]; readonly next: readonly Open[]; readonly returns?: boolean }

function act(
  rules: IptablesRules,
  table: string,
  chain: string,
  rule: TracedRule,
  way: Open,
  machine: Machine,
  depth: number,
): Outcome {
  const { target } = rule.rule
  const step = (effect: string): Open => ({ ...way, steps: [...way.steps, { table, chain, rule, effect }] })
  const ends = (effect: string, end: End): Outcome => ({ ended: [{ ...step(effect), end }], next: [] })
  if (target === undefined) return { ended: [], next: [way] }
  switch (target.kind) {
    case 'verdict':
      if (target.verdict === 'RETURN') return { ended: [], next: [step('returns')], returns: true }
      return target.verdict === 'ACCEPT' ? ends('accepted', { kind: 'accept' }) : ends('dropped', { kind: 'drop' })
    case 'reject':
      return ends(`refused with ${target.with}`, { kind: 'reject', with: target.with })
    case 'jump':
    case 'goto': {
      const inner = run(
        rules,
        table,
        target.chain,
        step(`${target.kind === 'jump' ? 'jumps' : 'goes'} to ${target.chain}`),
        machine,
        depth + 1,
      )
      return { ended: inner.ended, next: inner.fellThrough, returns: target.kind === 'goto' }
    }
    case 'mark': {
      const mark = ((way.packet.mark & ~target.mark.mask) ^ target.mark.value) >>> 0
      const marked = step(`mark becomes 0x${mark.toString(16)}`)
      return { ended: [], next: [{ ...marked, packet: { ...way.packet, mark } }] }
    }
    case 'dnat':
    case 'snat':
    case 'masquerade':
      return rewrite(target, way, step, machine)
    case 'other':
      return ends(`reaches -j ${target.name}`, { kind: 'unknown', target: [target.name, ...target.words].join(' ') })
  }
}

function rewrite(
  target: Extract<Target, { kind: 'dnat' | 'snat' | 'masquerade' }>,
  way: Open,
  step: (effect: string) => Open,
  machine: Machine,
): Outcome {
  const rewritten =
    target.kind === 'dnat' ? rewriteDestination(target.to, way.packet) : rewriteSource(target, way.packet, machine)
  return { ended: [{ ...step(rewritten.effect), packet: rewritten.packet, end: { kind: 'accept' } }], next: [] }
}

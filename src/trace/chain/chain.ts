// A packet through one chain and the chains that it jumps to, whatever the rules are written in: every way it may go.

import type { Ended, End, Step, Way } from '#trace/way.ts'
import { withStep } from '#trace/way.ts'

/** What one rule did with a way; several acts where it could go several ways. */
export type Act =
  | { readonly kind: 'continue' | 'return' | 'accept'; readonly way: Way }
  | { readonly kind: 'jump' | 'goto'; readonly way: Way; readonly chain: string }
  | { readonly kind: 'end'; readonly way: Way; readonly end: End }

/** Rules of one table, as the walk needs them. */
export type RuleBook<R> = {
  /** undefined: there is no such chain */
  rules(chain: string): readonly R[] | undefined
  /** The first place from `at` on whose rule may be about the packet; `at` itself where that is not known. */
  skip?(chain: string, way: Way, at: number): number
  /** What the rule does; undefined: it does not match, and the way is as it was. */
  act(rule: R, way: Way, chain: string, index: number): readonly Act[] | undefined
}

export type Walked = {
  readonly ended: Ended[]
  /** accepted by a rule, or come to the end of the first chain */
  readonly accepted: Way[]
  readonly fellThrough: Way[]
}

/** Bounds the work of a walk through rules that nothing decides. */
export type Budget = { ways: number }
export const mostWays = 20_000

/** How deep chains may jump into each other; the kernel refuses loops, a mailed dump may have one. */
const deepest = 64

export function walkChain<R>(book: RuleBook<R>, chain: string, from: Way, budget: Budget, depth = 0): Walked {
  const rules = book.rules(chain)
  const walked: Walked = { ended: [], accepted: [], fellThrough: [] }
  if (rules === undefined || depth > deepest) {
    const what = rules === undefined ? `chain ${chain} does not exist` : `${chain} jumps in a circle`
    walked.ended.push({ way: from, end: { kind: 'unknown', what } })
    return walked
  }
  // Ways still inside this chain, with the rule that each looks at next.
  const open: { readonly way: Way; readonly at: number }[] = [{ way: from, at: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    let { way, at } = next
    let isOpen = true
    while (isOpen && at < rules.length) {
      at = book.skip?.(chain, way, at) ?? at
      if (at >= rules.length) break
      const acts = book.act(rules[at]!, way, chain, at)
      at++
      if (acts === undefined) continue
      const inside = acts.flatMap((act) => follow(book, act, walked, budget, depth))
      if (inside.length > 1) {
        budget.ways -= costOf(inside, way)
        if (budget.ways < 0) {
          const end: End = { kind: 'unknown', what: 'there are too many ways to follow: give more of the inputs' }
          walked.ended.push(...inside.map((left) => ({ way: left, end })))
        } else open.push(...inside.slice(1).map((left) => ({ way: left, at })))
      }
      isOpen = inside.length > 0 && (inside.length === 1 || budget.ways >= 0)
      if (isOpen) way = inside[0]!
    }
    if (isOpen) walked.fellThrough.push(way)
  }
  return walked
}

/** What is not decided is worth less following than what is chosen at random. */
const costOf = (inside: readonly Way[], from: Way): number =>
  inside.slice(1).reduce((sum, { conditions }) => sum + (conditions.length > from.conditions.length ? 20 : 1), 0)

/** The ways that go on behind the rule. */
function follow<R>(book: RuleBook<R>, act: Act, walked: Walked, budget: Budget, depth: number): readonly Way[] {
  switch (act.kind) {
    case 'continue':
      return [act.way]
    case 'return':
      walked.fellThrough.push(act.way)
      return []
    case 'accept':
      walked.accepted.push(act.way)
      return []
    case 'end':
      walked.ended.push(act)
      return []
    case 'jump':
    case 'goto': {
      const inner = walkChain(book, act.chain, act.way, budget, depth + 1)
      walked.ended.push(...inner.ended)
      walked.accepted.push(...inner.accepted)
      if (act.kind === 'jump') return inner.fellThrough
      walked.fellThrough.push(...inner.fellThrough)
      return []
    }
  }
}

/** A base chain to its end: its policy is for those who fell through. */
export function walkBaseChain<R>(
  book: RuleBook<R>,
  chain: string,
  from: Way,
  budget: Budget,
  policy: { readonly drops: boolean; readonly step: Step },
): { readonly way: Way; readonly end?: End }[] {
  const { ended, accepted, fellThrough } = walkChain(book, chain, from, budget)
  return [
    ...ended,
    ...accepted.map((way) => ({ way })),
    ...fellThrough.map((way) =>
      policy.drops
        ? { way: withStep(way, policy.step), end: { kind: 'drop' as const, why: policy.step.effect } }
        : { way },
    ),
  ]
}

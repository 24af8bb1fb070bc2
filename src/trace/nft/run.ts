// A rule of nftables while it is run: what its instructions have loaded, matched and changed so far, and what one of them did.

import type { NftRule, NftSet, NftTable, NftVerdict } from '#kernel/nftables/ruleset.ts'
import { ruleText } from '#kernel/nftables/rule-text.ts'
import type { Act } from '#trace/chain/chain.ts'
import type { NftDump } from '#trace/machine.ts'
import type { Registers } from '#trace/nft/registers.ts'
import type { Place } from '#trace/place.ts'
import type { Step, Way } from '#trace/way.ts'

export type NftContext = {
  readonly table: NftTable
  readonly sets: ReadonlyMap<string, NftSet>
  readonly sources: NftDump['sources']
  readonly place: Place
}

export type State = {
  readonly way: Way
  readonly registers: Registers
  readonly matched: readonly string[]
  /** what the rule did on its way, in words */
  readonly changed: readonly string[]
}

export type Run = {
  readonly context: NftContext
  readonly rule: NftRule
  readonly chain: string
  readonly misses: { readonly way: Way; readonly why: string; readonly state: State }[]
}

/** Where a rule may go on from; `why`: it does not match; `verdict`: a map has chosen it. */
export type Branch = { readonly state: State; readonly why?: string; readonly verdict?: NftVerdict }

export type Done =
  | { readonly kind: 'next'; readonly state: State }
  | { readonly kind: 'miss'; readonly why: string }
  | { readonly kind: 'fork'; readonly branches: readonly Branch[] }
  | { readonly kind: 'acts'; readonly acts: readonly Act[] }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict; readonly state: State }

export function stepOf({ context, rule, chain }: Run, state: State, effect: string, weight: Step['weight']): Step {
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

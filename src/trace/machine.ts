// What is known of one machine. Whatever is undefined is not known, which is another thing than empty: the walk then
// says what it could not decide, and for lack of what.

import type { Rule } from '#kernel/iptables/rule.ts'

/** Where a rule was read, for people to find it again. `line` counts from 1. */
export type Origin = { readonly file: string; readonly line: number }

export type TracedRule = { readonly rule: Rule; readonly text: string; readonly origin: Origin }

export type TracedChain = { readonly name: string; readonly policy?: string; readonly rules: readonly TracedRule[] }

/** iptables' tables of one family, by table and chain. */
export type IptablesRules = ReadonlyMap<string, ReadonlyMap<string, TracedChain>>

export type Machine = {
  readonly name: string
  readonly iptables?: { readonly ip4?: IptablesRules; readonly ip6?: IptablesRules }
  /** canonical addresses of its own interfaces */
  readonly addresses?: ReadonlySet<string>
  /** members of ipsets by name, as ipset prints them */
  readonly sets?: ReadonlyMap<string, ReadonlySet<string>>
}

// The rules in iptables, with flannel's names and texts.

import { renderRuleLine } from '#kernel/iptables/save.ts'
import type { Match, Rule, Target } from '#kernel/iptables/rule.ts'
import { forwardRules, masqueradeMark, masqueradeRules, wallRules } from '#flannel/masquerade/rules.ts'
import type { PacketRule, RulesInput } from '#flannel/masquerade/rules.ts'

/** A chain of our own, and the jump to it from a built-in one. */
export type OwnChain = {
  readonly table: 'nat' | 'filter'
  readonly name: string
  readonly from: string
  readonly jump: Rule
  /** the jump stands before what others have there */
  readonly isFirst?: boolean
  readonly rules: readonly Rule[]
}

const stems = { nat: ['FLANNEL-POSTRTG'], filter: ['FLANNEL-FWD', 'FLANNEL-WALL'] } as const

/** Of this network or of another. */
export const isOurChain = (name: string): boolean =>
  [...stems.nat, ...stems.filter].some((stem) => name.startsWith(stem))

/** Only those that have rules. */
export function planChains(input: RulesInput): readonly OwnChain[] {
  const [postrouting] = stems.nat
  const [forward, wall] = stems.filter
  const masquerading = { table: 'nat', from: 'POSTROUTING', rules: masqueradeRules(input) } as const
  const forwarding = { table: 'filter', from: 'FORWARD' } as const
  return [
    chainOf(input, { ...masquerading, stem: postrouting, comment: 'flanneld masq' }),
    chainOf(input, { ...forwarding, stem: forward, comment: 'flanneld forward', rules: forwardRules(input) }),
    chainOf(input, { ...forwarding, stem: wall, comment: 'flanneld wall', isFirst: true, rules: wallRules(input) }),
  ].filter(({ rules }) => rules.length > 0)
}

type Shape = Pick<OwnChain, 'table' | 'from' | 'isFirst'> & {
  readonly stem: string
  readonly comment: string
  readonly rules: readonly PacketRule[]
}

function chainOf({ suffix, randomFully }: RulesInput, { stem, comment: text, rules, ...rest }: Shape): OwnChain {
  const comment: Match = { kind: 'comment', text }
  const name = `${stem}${suffix}`
  const jump: Rule = { matches: [comment], target: { kind: 'jump', chain: name } }
  const mark = { value: { value: masqueradeMark, mask: masqueradeMark } }
  const ruleOf = ({ isMarked, source, destination, act }: PacketRule): Rule => ({
    ...(source && { source }),
    ...(destination && { destination }),
    matches: [...(isMarked ? [{ kind: 'mark', mark } as const] : []), comment],
    target: targetOf(act, randomFully),
  })
  return { ...rest, name, jump, rules: rules.map(ruleOf) }
}

function targetOf(act: PacketRule['act'], randomFully: boolean): Target {
  if (act === 'masquerade') return { kind: 'masquerade', ...(randomFully && { randomFully }) }
  return { kind: 'verdict', verdict: ({ return: 'RETURN', accept: 'ACCEPT', drop: 'DROP' } as const)[act] }
}

/** What `iptables -S CHAIN` says of a chain that is as it should be. */
export function listingOf({ name, rules }: OwnChain): string {
  return [`-N ${name}`, ...rules.map((rule) => renderRuleLine(name, rule))].join('\n')
}

/** Input of iptables-restore --noflush: makes the chain anew in one step, and adds the jump where it is missing. */
export function renderRestore({ table, name, from, jump, isFirst, rules }: OwnChain, hasJump: boolean): string {
  const lines = rules.map((rule) => renderRuleLine(name, rule))
  const jumpLine = renderRuleLine(from, jump).replace(/^-A/, isFirst ? '-I' : '-A')
  return `${[`*${table}`, `:${name} - [0:0]`, ...lines, ...(hasJump ? [] : [jumpLine]), 'COMMIT'].join('\n')}\n`
}

/**
 * Input of iptables-restore --noflush that takes our chains and the jumps to them away; undefined where there are none.
 * `suffix`: only those of this network, and not those of all.
 */
export function renderRemoval(table: OwnChain['table'], saved: string, suffix?: string): string | undefined {
  const lines = saved.split('\n')
  const there = lines.flatMap((line) => /^:(\S+) /.exec(line)?.[1] ?? [])
  const names = there.filter((name) =>
    stems[table].some((stem) => (suffix === undefined ? name.startsWith(stem) : name === `${stem}${suffix}`)),
  )
  if (names.length === 0) return undefined
  const jumps = lines.filter((line) => line.startsWith('-A ') && names.some((name) => line.endsWith(` -j ${name}`)))
  const removals = jumps.map((line) => line.replace(/^-A/, '-D'))
  return `${[`*${table}`, ...removals, ...names.map((name) => `-F ${name}`), ...names.map((name) => `-X ${name}`), 'COMMIT'].join('\n')}\n`
}

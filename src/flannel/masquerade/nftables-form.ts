// The rules in nftables, in flannel's tables flannel-ipv4 and flannel-ipv6.

import { masked, parseCidr } from '#lib/cidr.ts'
import type { BaseChain } from '#kernel/nftables/batch.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { instructionsOf } from '#kernel/nftables/decode-rule.ts'
import * as e from '#kernel/nftables/expression.ts'
import { tableText } from '#kernel/nftables/table-text.ts'
import type { Family } from '#flannel/lease.ts'
import { forwardRules, masqueradeMark, masqueradeRules, wallRules } from '#flannel/masquerade/rules.ts'
import type { PacketRule, RangeTest, RulesInput } from '#flannel/masquerade/rules.ts'

export type OwnTable = {
  readonly family: Family
  readonly name: string
  readonly comment: string
  /** only those that have rules */
  readonly chains: readonly OwnChain[]
}
type OwnChain = {
  readonly name: string
  readonly comment: string
  readonly base: BaseChain
  readonly rules: readonly (readonly e.Expression[])[]
}

export const tableName = (family: Family, suffix: string): string => `flannel-ipv${family}${suffix}`
export const familyName = (family: Family) => (family === 4 ? 'ip' : 'ip6')

/** The names and priorities of the chains are flannel's own; a wall stands before what is accepted. */
export function planTable(input: RulesInput): OwnTable {
  const { family, network, suffix } = input
  const render = (rules: readonly PacketRule[]) => rules.map((rule) => expressionsOf(input, rule))
  const chains: readonly OwnChain[] = [
    {
      name: 'postrtg',
      comment: 'pods talk to the world by the address of the node',
      base: { type: 'nat', hook: 'postrouting', priority: 100 },
      rules: render(masqueradeRules(input)),
    },
    {
      name: 'forward',
      comment: 'what is from or to pods',
      base: { type: 'filter', hook: 'forward', priority: 0 },
      rules: render([...wallRules(input), ...forwardRules(input)]),
    },
  ]
  return {
    family,
    name: tableName(family, suffix),
    comment: `pod network ${network}`,
    chains: chains.filter(({ rules }) => rules.length > 0),
  }
}

/** Makes the table anew, in one step and whatever is there. */
export function writeTable({ family, name, comment, chains }: OwnTable): NftBatch {
  const batch = new NftBatch(family, name)
  batch.addTable('')
  batch.deleteTable()
  batch.addTable(comment)
  for (const { name: chain, base, comment: text, rules } of chains) {
    batch.addChain(chain, { base, comment: text })
    for (const rule of rules) batch.addRule(chain, rule)
  }
  return batch
}

/** What `tableText` says of a table that is as it should be. */
export function textOf({ family, name, comment, chains }: OwnTable): string {
  const expected = chains.map(({ rules, base, ...chain }) => ({
    ...chain,
    base: { ...base, policy: 'accept' as const },
    rules: rules.map((rule) => ({ handle: 0, comment: '', code: instructionsOf(rule) })),
  }))
  return tableText({ family: familyName(family), name, comment, dormant: false, chains: expected, sets: [] })
}

function expressionsOf(
  { family, randomFully }: RulesInput,
  { isMarked, source, destination, act }: PacketRule,
): readonly e.Expression[] {
  const mark = e.hostNumber(masqueradeMark)
  return [
    ...(isMarked ? [e.meta(0, 'mark'), e.bitwise(0, mark, e.hostNumber(0)), e.compare(0, true, mark)] : []),
    ...(source ? isIn(offsets[family].source, source) : []),
    ...(destination ? isIn(offsets[family].destination, destination) : []),
    act === 'masquerade' ? (randomFully ? e.masquerade : e.masqueradeInOrder) : e.verdict({ kind: act }),
  ]
}

/** Of the addresses in their headers. */
const offsets = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const

/** Whole bytes of a range are compared as they are, as nft does it; only what ends within one needs a mask. */
function isIn(offset: number, { value, not }: RangeTest): readonly e.Expression[] {
  const { base, prefix } = parseCidr(value)!
  const length = prefix % 8 === 0 && prefix > 0 ? prefix / 8 : base.length
  const mask = masked(new Uint8Array(base.length).fill(255), prefix)
  return [
    e.payload(0, 'network', offset, length),
    ...(length === base.length && prefix < base.length * 8 ? [e.bitwise(0, mask, new Uint8Array(length))] : []),
    e.compare(0, !not, base.subarray(0, length)),
  ]
}

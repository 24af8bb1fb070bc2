// Policy rules (which routing table a packet asks) over rtnetlink: linux/fib_rules.h (fib_rule_hdr).
import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { decodeAttributes, type Message, readText, readU32 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { type Family, familyNumber } from '#kernel/route/family.ts'

export type Rule = {
  readonly family: Family
  /** Lower ones are asked first. */
  readonly priority: number
  readonly table: number
  readonly from?: string
  readonly to?: string
  readonly incoming?: string
  readonly outgoing?: string
  readonly mark?: { readonly value: number; readonly mask: number }
}

export const RTM_RULE = { new: 32, delete: 33, get: 34 } as const
const FRA = { to: 1, from: 2, incoming: 3, priority: 6, mark: 10, table: 15, markMask: 16, outgoing: 17 } as const
const toTable = 1

export function encodeRule(writer: MessageWriter, rule: Rule): void {
  const network = (text: string | undefined) => {
    const cidr = text === undefined ? undefined : parseCidr(text)
    if (text !== undefined && cidr === undefined) throw new TypeError(`not a network: ${text}`)
    return cidr
  }
  const to = network(rule.to)
  const from = network(rule.from)
  writer
    .u8(familyNumber(rule.family))
    .u8(to?.prefix ?? 0)
    .u8(from?.prefix ?? 0)
    .u8(0)
    .u8(rule.table < 256 ? rule.table : 0)
    .u8(0)
    .u8(0)
    .u8(toTable)
    .u32(0)
  if (to) writer.attribute(FRA.to, to.base)
  if (from) writer.attribute(FRA.from, from.base)
  if (rule.incoming !== undefined) writer.attributeText(FRA.incoming, rule.incoming)
  if (rule.outgoing !== undefined) writer.attributeText(FRA.outgoing, rule.outgoing)
  if (rule.mark) writer.attributeU32(FRA.mark, rule.mark.value).attributeU32(FRA.markMask, rule.mark.mask)
  writer.attributeU32(FRA.priority, rule.priority).attributeU32(FRA.table, rule.table)
}

export function encodeRuleQuery(writer: MessageWriter, family: Family | undefined): void {
  writer.u8(familyNumber(family)).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u32(0)
}

export function decodeRule(message: Message): Rule {
  const header = message.payload
  const attributes = decodeAttributes(header, 12)
  const number = (type: number) => {
    const bytes = attributes.get(type)
    return bytes === undefined ? undefined : readU32(bytes)
  }
  const text = (type: number) => {
    const bytes = attributes.get(type)
    return bytes === undefined ? undefined : readText(bytes)
  }
  const to = attributes.get(FRA.to)
  const from = attributes.get(FRA.from)
  const value = number(FRA.mark)
  const incoming = text(FRA.incoming)
  const outgoing = text(FRA.outgoing)
  return {
    family: header[0] === 10 ? 6 : 4,
    priority: number(FRA.priority) ?? 0,
    table: number(FRA.table) ?? header[4]!,
    ...(from && { from: formatCidr({ base: from, prefix: header[2]! }) }),
    ...(to && { to: formatCidr({ base: to, prefix: header[1]! }) }),
    ...(incoming !== undefined && { incoming }),
    ...(outgoing !== undefined && { outgoing }),
    ...(value !== undefined && { mark: { value, mask: number(FRA.markMask) ?? 0xffffffff } }),
  }
}

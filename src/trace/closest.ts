// What came closest to matching, where no rule changed where a packet goes: rules about its address but another port or
// protocol, or about its port but another address.

import { renderRule } from '#kernel/iptables/render-rule.ts'
import type { Rule } from '#kernel/iptables/rule.ts'
import { elementText } from '#kernel/nftables/value-text.ts'
import type { Machine } from '#trace/machine.ts'
import { matchRule } from '#trace/iptables/match.ts'
import { connectionOf } from '#trace/nat.ts'
import { type Packet, protocolNumber, renderEnd } from '#trace/packet.ts'
import { addressBytes, rangeHas } from '#trace/ranges.ts'
import type { Traced } from '#trace/trace.ts'

const most = 5

/** Lines for people; none where some way was led on by a rule about the packet's destination. */
export function closestRules(machines: readonly Machine[], packet: Packet, ways: readonly Traced[]): readonly string[] {
  const wasLed = ways.some(
    ({ steps, outcome, conditions }) =>
      (outcome.kind === 'delivered' && conditions.length === 0) ||
      steps.some(({ effect }) => effect.includes('destination becomes')),
  )
  if (wasLed) return []
  const found = machines.flatMap((machine) => [...nearRules(machine, packet), ...nearElements(machine, packet)])
  return [...new Map(found.toSorted((a, b) => a.distance - b.distance).map((item) => [item.text, item])).values()]
    .slice(0, most)
    .map(({ text, why }) => `${text}: ${why}`)
}

type Near = { readonly distance: number; readonly text: string; readonly why: string }

function nearRules(machine: Machine, packet: Packet): readonly Near[] {
  const near: Near[] = []
  for (const { rules } of machine.iptables)
    for (const [, chains] of rules)
      for (const chain of chains.values())
        for (const [index, rule] of chain.rules.entries()) {
          const why = nearness(rule, packet, machine)
          if (why === undefined) continue
          const text = `${chain.file}:${chain.lines[index] ?? 0}  -A ${chain.name} ${renderRule(rule)}`
          near.push({ ...why, text })
        }
  return near
}

/** Entries of maps of nftables that are about the same address: of front ends, by address, protocol and port. */
function nearElements(machine: Machine, packet: Packet): readonly Near[] {
  const ip = addressBytes(packet.destination)
  if (ip === undefined) return []
  return (machine.nftables?.ruleset.tables ?? []).flatMap((table) =>
    table.sets
      .filter((set) => set.data !== undefined && set.key.length === 3 && /^ipv[46]$/.test(set.key[0]!))
      .flatMap((set) =>
        set.elements
          .filter(
            ({ key }) => key.length > ip.length && ip.every((byte, i) => key[i] === byte) && !names(key, ip, packet),
          )
          .map((element) => ({
            distance: 1,
            text: `${table.family} ${table.name} ${set.name}: ${elementText(element, set)}`,
            why: `it is not about ${renderEnd(packet.destination, packet.destinationPort)}/${packet.protocol}`,
          })),
      ),
  )
}

/** Whether a key of address, protocol and port is just the packet's: it was found then, and misses nothing. */
function names(key: Uint8Array, ip: Uint8Array, { protocol, destinationPort }: Packet): boolean {
  const [proto, port] = [ip.length, ip.length + 4]
  return (
    key[proto] === protocolNumber(protocol) &&
    key[port] === destinationPort >> 8 &&
    key[port + 1] === (destinationPort & 255)
  )
}

/** Rules that single out the address or the port, and miss by one thing. */
function nearness(rule: Rule, packet: Packet, machine: Machine): Omit<Near, 'text'> | undefined {
  const { destination } = rule
  if (destination === undefined || destination.not === true || rule.target === undefined) return undefined
  const port = rule.matches.find((match) => match.kind === 'ports')?.destination
  if (rangeHas(destination.value, packet.destination) === true) {
    if (/\/([0-9]|1[0-9]|2[0-7])$/.test(destination.value)) return undefined
    const tracked = { ...packet, connection: connectionOf(packet) }
    const refused = [...matchRule(rule, { packet: tracked, machine, hook: 'prerouting' })].filter(
      ({ kind }) => kind === 'no',
    )
    const [first] = refused
    return first?.kind === 'no' ? { distance: refused.length, why: first.why } : undefined
  }
  if (port === undefined || Number(port.value) !== packet.destinationPort || !/\/(32|128)$/.test(destination.value))
    return undefined
  const wanted = renderEnd(destination.value.split('/')[0]!, packet.destinationPort)
  return { distance: 3, why: `it is about ${wanted}` }
}

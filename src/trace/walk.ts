// One packet through the hooks of one machine, in the order in which the kernel calls the tables of iptables.

import { one, times } from '#trace/fraction.ts'
import { walkChain, type Way } from '#trace/iptables/chain.ts'
import type { IptablesRules, Machine } from '#trace/machine.ts'
import { familyOf, type Packet } from '#trace/packet.ts'

export type Start = 'arrives' | 'made here'

/** How a way ends on this machine. */
export type Outcome =
  | { readonly kind: 'forwarded' }
  /** for a process of the machine itself */
  | { readonly kind: 'local' }
  /** where it goes could not be told: the machine's addresses are not known */
  | { readonly kind: 'sent' }
  | { readonly kind: 'dropped' }
  | { readonly kind: 'refused'; readonly with: string }
  | { readonly kind: 'unknown'; readonly target: string }

export type Walked = Omit<Way, 'end'> & { readonly outcome: Outcome }

const tablesOfHook: Readonly<Record<string, readonly string[]>> = {
  PREROUTING: ['raw', 'mangle', 'nat'],
  INPUT: ['mangle', 'filter', 'security', 'nat'],
  FORWARD: ['mangle', 'filter', 'security'],
  OUTPUT: ['raw', 'mangle', 'nat', 'filter', 'security'],
  POSTROUTING: ['mangle', 'nat'],
}

/** Every way of the packet through the machine. Shares of ways without conditions sum up to one. */
export function walkMachine(machine: Machine, packet: Packet, start: Start): Walked[] {
  const rules = familyOf(packet) === 4 ? machine.iptables?.ip4 : machine.iptables?.ip6
  const begin: Walking = { share: one, conditions: [], missing: [], packet, steps: [] }
  const entered =
    start === 'arrives' ? hook(rules, 'PREROUTING', begin, machine) : hook(rules, 'OUTPUT', begin, machine)
  return entered.flatMap((way) => {
    if ('outcome' in way) return [way]
    const where = routeOf(way.packet, machine, start)
    if (where === 'sent') {
      // Where it goes is not known: the tables that act on either way are walked, those of one way only are not.
      return finish(hook(rules, 'POSTROUTING', { ...way, missing: add(way.missing, 'ip addr') }, machine), {
        kind: 'sent',
      })
    }
    if (start === 'arrives' && where === 'local') return finish(hook(rules, 'INPUT', way, machine), { kind: 'local' })
    const forwarded = start === 'arrives' ? hook(rules, 'FORWARD', way, machine) : [way]
    const out = forwarded.flatMap((next) => ('outcome' in next ? [next] : hook(rules, 'POSTROUTING', next, machine)))
    return finish(out, { kind: where === 'local' ? 'local' : 'forwarded' })
  })
}

type Walking = Omit<Way, 'end'>

function hook(rules: IptablesRules | undefined, name: string, from: Walking, machine: Machine): (Walking | Walked)[] {
  let ways: (Walking | Walked)[] = [from]
  for (const table of tablesOfHook[name]!) {
    // Only the first packet of a connection is shown to nat; later ones are rewritten as that one was.
    if (rules?.get(table) === undefined || (table === 'nat' && from.packet.state !== 'NEW')) continue
    ways = ways.flatMap((way) =>
      'outcome' in way ? [way] : walkChain(rules, table, name, way.packet, machine).map((next) => join(way, next)),
    )
  }
  return ways
}

function join(before: Walking, { end, ...next }: Way): Walking | Walked {
  const way = {
    share: times(before.share, next.share),
    conditions: [...before.conditions, ...next.conditions],
    missing: next.missing.reduce(add, before.missing),
    packet: next.packet,
    steps: [...before.steps, ...next.steps],
  }
  switch (end.kind) {
    case 'accept':
      return way
    case 'drop':
      return { ...way, outcome: { kind: 'dropped' } }
    case 'reject':
      return { ...way, outcome: { kind: 'refused', with: end.with } }
    case 'unknown':
      return { ...way, outcome: { kind: 'unknown', target: end.target } }
  }
}

const add = (list: readonly string[], item: string): readonly string[] => (list.includes(item) ? list : [...list, item])

const finish = (ways: readonly (Walking | Walked)[], outcome: Outcome): Walked[] =>
  ways.map((way) => ('outcome' in way ? way : { ...way, outcome }))

function routeOf(packet: Packet, machine: Machine, start: Start): 'local' | 'away' | 'sent' {
  if (machine.addresses === undefined) return start === 'made here' ? 'away' : 'sent'
  return machine.addresses.has(packet.destination) ? 'local' : 'away'
}

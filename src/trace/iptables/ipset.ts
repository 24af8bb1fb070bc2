// Whether a packet is in an ipset. A member has as many parts as the set's type (`hash:ip,port,net`); the rule says for
// each part whether it is the packet's source or destination.

import type { SavedSet, SetEntry } from '#kernel/dump/ipset.ts'
import type { Match } from '#kernel/iptables/rule.ts'
import { decided } from '#trace/iptables/match.ts'
import type { Machine } from '#trace/machine.ts'
import { perMachine } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'
import { rangeHas, spanHas } from '#trace/ranges.ts'
import type { Matched } from '#trace/way.ts'

export function matchSet(match: Extract<Match, { kind: 'set' }>, packet: Packet, machine: Machine): Matched {
  const { name, sides } = match
  const holds = isInSet(name.value, sides.split(','), packet, machine, 0)
  const condition = `(${sides}) is in the set ${name.value}`
  if (typeof holds !== 'boolean') return { kind: 'maybe', condition, unless: name.not === true, missing: holds }
  return decided(holds, name, `(${sides}) is ${holds ? 'in' : 'not in'} the set ${name.value}`)
}

const setsOf = perMachine((machine) => machine.sets && new Map(machine.sets.map((set) => [set.name, set])))

/** A text says which input would tell. */
function isInSet(
  name: string,
  sides: readonly string[],
  packet: Packet,
  machine: Machine,
  depth: number,
): boolean | string {
  const set = setsOf(machine)?.get(name)
  if (set === undefined) return setsOf(machine) === undefined ? 'ipset save' : `the set ${name} in ipset save`
  const [method = '', parts = ''] = set.type.split(':')
  if (method === 'list') {
    const answers = set.entries.map(({ member }) =>
      depth > 8 ? false : isInSet(member, sides, packet, machine, depth + 1),
    )
    return answers.includes(true) || (answers.find((answer) => typeof answer === 'string') ?? false)
  }
  const kinds = parts.split(',')
  const wanted = kinds.map((kind, i) => partOf(kind, sides[i] ?? sides.at(-1)!, packet))
  if (wanted.includes(undefined)) return `a reader of sets of the type ${set.type}`
  const { exact, ranges } = indexOf(set)
  const entry = exact.get(wanted.join(','))
  if (entry !== undefined) return !entry.options.includes('nomatch')
  const found = ranges
    .filter(({ parts: members }) => kinds.every((kind, i) => memberHas(kind, members[i] ?? '', wanted[i]!)))
    .toSorted((a, b) => lengthOf(b.parts) - lengthOf(a.parts))[0]
  return found !== undefined && !found.entry.options.includes('nomatch')
}

/** The longest range decides. */
const lengthOf = (parts: readonly string[]) => parts.reduce((sum, part) => sum + Number(part.split('/')[1] ?? 128), 0)

function partOf(kind: string, side: string, packet: Packet): string | undefined {
  const isSource = side === 'src'
  if (kind === 'ip' || kind === 'net') return isSource ? packet.source : packet.destination
  if (kind === 'port') return `${packet.protocol}:${isSource ? packet.sourcePort : packet.destinationPort}`
  if (kind === 'iface') return isSource ? packet.inInterface : packet.outInterface
  return kind === 'mark' ? `0x${packet.mark.toString(16).padStart(8, '0')}` : undefined
}

function memberHas(kind: string, member: string, wanted: string): boolean {
  if (kind === 'ip' || kind === 'net')
    return (member.includes('-') ? spanHas(member, wanted) : rangeHas(member, wanted)) ?? false
  if (kind === 'port') {
    const [protocol, ports] = member.includes(':') ? member.split(':') : [undefined, member]
    const [wantedProtocol, wantedPort] = wanted.split(':')
    const [first, last = first] = ports!.split('-').map(Number)
    // a set of ports alone does not look at the protocol
    return (
      (protocol === undefined || protocol === wantedProtocol) &&
      Number(wantedPort) >= first! &&
      Number(wantedPort) <= last!
    )
  }
  return member === wanted
}

type Index = {
  readonly exact: ReadonlyMap<string, SetEntry>
  readonly ranges: readonly { readonly parts: readonly string[]; readonly entry: SetEntry }[]
}
const indexes = new WeakMap<SavedSet, Index>()

function indexOf(set: SavedSet): Index {
  const known = indexes.get(set)
  if (known !== undefined) return known
  const exact = new Map(set.entries.map((entry) => [entry.member, entry]))
  const ranges = set.entries
    .filter(({ member }) => set.type.startsWith('bitmap') || /[/-]/.test(member))
    .map((entry) => ({ parts: entry.member.split(','), entry }))
  const index = { exact, ranges }
  indexes.set(set, index)
  return index
}

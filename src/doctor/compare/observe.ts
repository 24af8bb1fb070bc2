// What the rules of one machine do with a new connection, whatever program wrote them: who gets it, in which shares, and
// what becomes of its source.

import { toNumber } from '#trace/fraction.ts'
import type { Machine } from '#trace/machine.ts'
import { type Packet, renderEnd } from '#trace/packet.ts'
import { type Entry, type Exit, walkMachine } from '#trace/walk-machine.ts'
import { startWay, type Step, stepsOf } from '#trace/way.ts'

export type Sent = {
  share: number
  /** of this share it went out to it */
  arrived: number
  /** of this share the source was changed */
  masqueraded: number
  /** a rule that led there */
  readonly steps: readonly Step[]
}

export type Observed = {
  /** by `IP:PORT` */
  readonly to: ReadonlyMap<string, Sent>
  /** no rule changed its destination */
  readonly unchanged: number
  readonly refused: number
  readonly dropped: number
  /** by rules whose working nobody knows, or for lack of inputs */
  readonly unknown: number
  /** how those that were refused or dropped ended, and those that nothing changed */
  readonly endings: readonly {
    readonly kind: 'refused' | 'dropped' | 'unchanged'
    readonly share: number
    readonly steps: readonly Step[]
  }[]
  readonly missing: readonly string[]
}

/** Enough for one Service of a thousand endpoints. */
const mostWays = 5000

/** `isOwn`: whether the packet is for an address of the machine itself, where its dumps do not tell. */
export function observe(machine: Machine, packet: Packet, entry: Entry, isOwn: boolean): Observed {
  const exits = likely(walkMachine(machine, startWay(packet), entry, { budget: { ways: mostWays }, all: false }), isOwn)
  const to = new Map<string, Sent>()
  const sums = { unchanged: 0, refused: 0, dropped: 0, unknown: 0 }
  const endings: Observed['endings'][number][] = []
  const whole = exits.reduce((sum, { way }) => sum + toNumber(way.share), 0) || 1
  for (const exit of exits) {
    const share = toNumber(exit.way.share) / whole
    const kind = kindOf(exit, packet)
    if (kind !== 'sent') {
      sums[kind] += share
      if (kind !== 'unknown') endings.push({ kind, share, steps: stepsOf(exit.way) })
    }
    const now = exit.way.packet
    // What was given an endpoint and then dropped still shows whom the rules chose.
    if (isSame(now, packet)) continue
    const target = renderEnd(now.destination, now.destinationPort)
    const known = to.get(target) ?? { share: 0, arrived: 0, masqueraded: 0, steps: stepsOf(exit.way) }
    known.share += share
    if (kind === 'sent') known.arrived += share
    if (now.source !== packet.source) known.masqueraded += share
    to.set(target, known)
  }
  return { to, ...sums, endings, missing: [...new Set(exits.flatMap(({ way }) => way.missing))] }
}

function kindOf(exit: Exit, packet: Packet): 'sent' | 'unchanged' | 'refused' | 'dropped' | 'unknown' {
  if (exit.kind === 'ended') {
    const { kind } = exit.end
    return kind === 'reject' ? 'refused' : kind === 'drop' ? 'dropped' : 'unknown'
  }
  return isSame(exit.way.packet, packet) ? 'unchanged' : 'sent'
}

const isSame = (a: Packet, b: Packet) => a.destination === b.destination && a.destinationPort === b.destinationPort

/**
 * A client that nobody has seen before; what else is undecided stays as it is. Schedulers of IPVS that go by hashes or by
 * connections give every server its turn, sooner or later.
 */
function likely(exits: readonly Exit[], isOwn: boolean): readonly Exit[] {
  const isUsual = (condition: string) =>
    /^(not: )?the scheduler \S+ chooses /.test(condition) ||
    condition.startsWith('not: ') !== (isOwn && /destination .* is LOCAL here/.test(condition))
  const usual = exits.filter(({ way }) => way.conditions.every(isUsual))
  return usual.length > 0 ? usual : exits
}

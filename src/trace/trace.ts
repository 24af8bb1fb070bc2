// A trace: where a packet goes, with every way and its share, and whether the answer comes back.

import { type Answer, answersOf } from '#trace/answer.ts'
import { mostWays } from '#trace/chain/chain.ts'
import { plus, zero, type Fraction } from '#trace/fraction.ts'
import type { Machine } from '#trace/machine.ts'
import type { Final, Outcome, Walk } from '#trace/move.ts'
import type { Packet } from '#trace/packet.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import { walkFrom, walkInto } from '#trace/walk-world.ts'
import { startWay, type Step, stepsOf } from '#trace/way.ts'
import { machineAt, machineNamed, type Standing, standingOf, type World } from '#trace/world.ts'

export type TraceRequest = {
  /** `source` '' where the machine that sends it chooses */
  readonly packet: Packet
  /** Who sends it; undefined: whoever has the packet's source. */
  readonly from?: Standing
  /** Where a packet from outside enters; undefined: the machine that has its destination, else the only one. */
  readonly enters?: string
  /** record every rule that was looked at */
  readonly all?: boolean
}

/** One way, to its end. */
export type Traced = {
  readonly share: Fraction
  readonly conditions: readonly string[]
  readonly missing: readonly string[]
  /** the packet as it came to its end */
  readonly packet: Packet
  readonly steps: readonly Step[]
  readonly outcome: Outcome
  readonly answer: Answer
}

/** A request that cannot be walked. */
export class TraceError extends Error {
  readonly code = 'NoTrace'
  readonly remedy: string
  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'TraceError'
    this.remedy = remedy
  }
}

/** Every way of the packet. Shares of the ways on the same conditions sum up to one. Throws TraceError. */
export function traceWorld(world: World, request: TraceRequest): Traced[] {
  const walk: Walk = { world, budget: { ways: mostWays }, all: request.all ?? false }
  const { packet } = request
  const from = request.from ?? standingOf(world, packet.source)
  const finals = from.kind === 'outside' ? enter(walk, packet, request.enters) : walkFrom(walk, from, startWay(packet))
  return finals.flatMap((final) => finish(walk, final, from))
}

function enter(walk: Walk, packet: Packet, name: string | undefined): readonly Final[] {
  const machine = entrance(walk.world, packet, name)
  return walkInto(walk, machine, arrivesBy(machine, packet), startWay(packet))
}

/** Where packets of somebody outside come in. Throws TraceError. */
function entrance(world: World, packet: Packet, name: string | undefined): Machine {
  const { machines } = world
  const named = machineNamed(world, name)
  if (name !== undefined && named === undefined)
    throw new TraceError(
      `there is no node "${name}"`,
      `there are: ${machines.map((machine) => machine.name).join(', ')}`,
    )
  const standing = standingOf(world, packet.destination)
  const found =
    named ??
    machineAt(world, packet.destination) ??
    (machines.length === 1 ? machines[0] : standing.kind === 'outside' ? machines[0] : standing.machine)
  if (found === undefined) throw new TraceError('nothing is known of any machine', 'give a dump of its rules')
  return found
}

/** By the interface that answers to it would leave by. */
function arrivesBy(machine: Machine, packet: Packet): string | undefined {
  const back = lookupRoute(machine, {
    family: packet.destination.includes(':') ? 6 : 4,
    destination: packet.source,
    source: '',
    mark: 0,
    incoming: '',
    protocol: packet.protocol,
    sourcePort: packet.destinationPort,
    destinationPort: packet.sourcePort,
  })[0]?.routed
  return back?.kind === 'forward' ? back.device : undefined
}

/** A way for each answer that may come of it: also answers meet chance, and conditions. */
function finish(walk: Walk, final: Final, from: Standing): Traced[] {
  const { way, outcome } = final
  const common = { packet: way.packet, steps: stepsOf(way), outcome }
  const answers = answersOf(walk, final, from)
  if (answers.length === 0)
    return [{ ...common, share: way.share, conditions: way.conditions, missing: way.missing, answer: { kind: 'none' } }]
  return answers.map(({ way: { share, conditions, missing }, answer }) => ({
    ...common,
    share,
    conditions,
    missing,
    answer,
  }))
}

/** The shares of ways that end alike. */
export const shareOf = (ways: readonly Traced[]): Fraction => ways.reduce((sum, way) => plus(sum, way.share), zero)

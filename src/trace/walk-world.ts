// One packet from machine to machine, until somebody has it or something ends its way.

import { listenerOn } from '#trace/listener.ts'
import type { Machine } from '#trace/machine.ts'
import {
  arrived,
  ends,
  type Final,
  type Known,
  machineOf,
  type Move,
  nameOf,
  type OnLink,
  onMachine,
  type Outcome,
  type PodStanding,
  stops,
  unanswered,
  type Walk,
} from '#trace/move.ts'
import type { Connection, Packet } from '#trace/packet.ts'
import { fromPod, toPod } from '#trace/pod-link.ts'
import { rangeHas } from '#trace/ranges.ts'
import { isTunnel, tunnelEnd } from '#trace/tunnel.ts'
import { type Exit, walkMachine } from '#trace/walk-machine.ts'
import { lacks, type Way, withPacket, withStep } from '#trace/way.ts'
import { machineAt, machineNamed, podAt, type Standing, standingOf } from '#trace/world.ts'

/** How many machines a packet may come through: its time to live. */
const mostHops = 16

/** A packet that somebody sends. */
export function walkFrom(walk: Walk, standing: Standing, way: Way): readonly Final[] {
  if (standing.kind === 'outside') throw new Error('who sends from outside enters somewhere: walkInto')
  return finish(walk, [{ kind: 'enters', at: standing, entry: { kind: 'made' }, way }])
}

/** Into a pod, by its own interface, past all that its node does. */
export function walkStraight(walk: Walk, pod: PodStanding, way: Way): readonly Final[] {
  return finish(walk, [{ kind: 'enters', at: pod, entry: { kind: 'arrives', device: 'eth0' }, way: arrived(way) }])
}

/** A packet that comes to a machine from outside what is known. */
export function walkInto(walk: Walk, machine: Machine, device: string | undefined, way: Way): readonly Final[] {
  return finish(walk, [{ kind: 'enters', at: onMachine(machine), entry: { kind: 'arrives', device }, way }])
}

/** Follows every move to its end. */
function finish(walk: Walk, moves: readonly Move[], hops = 0): readonly Final[] {
  return moves.flatMap((move) => {
    switch (move.kind) {
      case 'final':
        return [{ way: move.way, outcome: move.outcome }]
      case 'enters': {
        const exits = walkMachine(machineOf(move.at), move.way, move.entry, walk)
        return exits.flatMap((exit) => finish(walk, leave(walk, move.at, exit, hops), hops + 1))
      }
      case 'on link':
        return isTunnel(move.machine, move.device)
          ? throughTunnel(walk, move, hops)
          : finish(walk, onLink(walk, move), hops)
    }
  })
}

function leave(walk: Walk, at: Known, exit: Exit, hops: number): readonly Move[] {
  const way = remember(exit.way, nameOf(at))
  switch (exit.kind) {
    case 'ended':
      return [ends(way, at, exit.end)]
    case 'local':
      return [{ kind: 'final', way, outcome: deliveredTo(at, way.packet) }]
    case 'sent': {
      if (hops > mostHops) return [ends(way, at, { kind: 'unknown', what: 'it goes in circles between machines' })]
      const { device, via = way.packet.destination } = exit
      if (device === undefined) return [{ kind: 'final', way, outcome: { kind: 'sent', machine: nameOf(at) } }]
      return at.kind === 'machine'
        ? [{ kind: 'on link', machine: at.machine, device, via, way }]
        : fromPod(walk, at, via, way)
    }
  }
}

function deliveredTo(standing: Known, packet: Packet): Outcome {
  const to = standing.kind === 'machine' ? standing.machine.name : standing.label
  return { kind: 'delivered', to, standing, listener: listenerOn(machineOf(standing), packet) }
}

/** The connection stays in the memory of the machine that the packet leaves. */
function remember(way: Way, machine: string): Way {
  const { connection } = way.packet
  if (connection === undefined) return way
  const others = way.tracked.filter((entry) => entry.machine !== machine || !isSame(entry.connection, connection))
  return { ...way, tracked: [...others, { machine, connection }] }
}

const isSame = (a: Connection, b: Connection) => JSON.stringify(a.original) === JSON.stringify(b.original)

/** From an interface of a machine to whoever has the next hop's address. */
function onLink(walk: Walk, link: OnLink): readonly Move[] {
  const { world } = walk
  const { machine, device, via, way } = link
  const nobody = () => [unanswered(way, onMachine(machine), device, via)]
  const next = standingOf(world, via)
  if (next.kind === 'behind' && next.machine.name === machine.name)
    return world.objects.pods.length > 0 && podAt(world, via) === undefined ? nobody() : toPod(walk, next, link)
  if (next.kind === 'machine' && next.machine.name !== machine.name)
    return isElsewhere(machine, device, via) ? nobody() : [toMachine(next.machine, via, way)]
  // A router that is not known: the machine behind it may be.
  const { destination } = way.packet
  const behind = via === destination ? undefined : standingOf(world, destination)
  if (behind?.kind === 'machine' && behind.machine.name !== machine.name)
    return [toMachine(behind.machine, destination, lacks(way, `the router ${via}`))]
  return [{ kind: 'final', way, outcome: { kind: 'left', machine: machine.name, device, via } }]
}

/** Another interface has the network of that address, and this one has not: nobody answers here. */
function isElsewhere(machine: Machine, device: string, ip: string): boolean {
  const has = (link: NonNullable<Machine['links']>[number]) =>
    link.addresses?.some(({ ip: own, prefix, peer }) => rangeHas(`${peer ?? own}/${prefix}`, ip) === true) ?? false
  const here = machine.links?.find(({ name }) => name === device)
  return here !== undefined && !has(here) && (machine.links?.some((link) => link !== here && has(link)) ?? false)
}

function toMachine(machine: Machine, address: string, way: Way): Move {
  const device = machine.links?.find((link) => link.addresses?.some(({ ip }) => ip === address))?.name
  return { kind: 'enters', at: onMachine(machine), entry: { kind: 'arrives', device }, way: arrived(way) }
}

/** The packet around it is walked to its end first. */
function throughTunnel(walk: Walk, { machine, device, via, way }: OnLink, hops: number): readonly Final[] {
  const end = tunnelEnd(walk.world, machine, device, via, way)
  if (end.kind === 'lost') return finish(walk, [ends(end.way, onMachine(machine), { kind: 'drop', why: end.why })])
  const { connection: _, ...packet } = withPacket(end.way, { ...end.outer, mark: 0, state: 'NEW' }).packet
  const made: Move = { kind: 'enters', at: onMachine(machine), entry: { kind: 'made' }, way: { ...end.way, packet } }
  return finish(walk, [made], hops).flatMap((final) => {
    const back = { ...final.way, packet: way.packet }
    if (final.outcome.kind !== 'delivered') return [{ way: back, outcome: unheardOutside(final.outcome) }]
    const other = machineNamed(walk.world, final.outcome.to) ?? machineAt(walk.world, end.outer.destination)
    if (other === undefined) return [{ way: back, outcome: final.outcome }]
    return finish(walk, [unpack(back, other, end.deviceOn(other), end.id)], hops)
  })
}

function unpack(way: Way, machine: Machine, device: string | undefined, id: number): Move {
  const at = onMachine(machine)
  if (device === undefined) {
    const why = `${machine.name} has no tunnel with the number ${id}`
    return stops(way, at, 'tunnel', `dropped: ${why}`, { kind: 'drop', why })
  }
  const effect = `unpacked: arrives by ${device}`
  const unpacked = withStep(arrived(way), {
    machine: machine.name,
    place: 'tunnel',
    matched: [],
    effect,
    weight: 'act',
  })
  return { kind: 'enters', at, entry: { kind: 'arrives', device }, way: unpacked }
}

/** Who sent what is inside hears nothing of what becomes of the packet around it. */
function unheardOutside(outcome: Outcome): Outcome {
  if (outcome.kind !== 'ended' || outcome.end.kind === 'balanced' || outcome.end.kind === 'unknown') return outcome
  const { call: _, ...end } = outcome.end
  const unheard = 'it is about the packet of the tunnel'
  return { ...outcome, end: end.kind === 'reject' ? { ...end, unheard } : end }
}

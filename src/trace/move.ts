// What may become of a packet next, as it goes from machine to machine.

import type { Budget } from '#trace/chain/chain.ts'
import type { Listener } from '#trace/listener.ts'
import type { Machine } from '#trace/machine.ts'
import type { Packet } from '#trace/packet.ts'
import type { Entry } from '#trace/walk-machine.ts'
import { type End, type Passed, type Way, withStep } from '#trace/way.ts'
import type { Standing, World } from '#trace/world.ts'

export type Walk = { readonly world: World; readonly budget: Budget; readonly all: boolean }

export type Known = Exclude<Standing, { kind: 'outside' }>
export type PodStanding = Extract<Standing, { kind: 'behind' }>

export type Outcome =
  /** a process has it: of a pod, or of a machine itself */
  | { readonly kind: 'delivered'; readonly to: string; readonly standing: Known; readonly listener: Listener }
  /** it leaves what is known */
  | { readonly kind: 'left'; readonly machine: string; readonly device: string; readonly via: string }
  /** it goes on, but the inputs do not tell by which interface */
  | { readonly kind: 'sent'; readonly machine: string }
  | { readonly kind: 'ended'; readonly machine: string; readonly end: End; readonly standing: Known }

export type Final = { readonly way: Way; readonly outcome: Outcome }

/** On an interface of a machine, for whoever has the next hop's address. */
export type OnLink = {
  readonly way: Way
  readonly machine: Machine
  readonly device: string
  readonly via: string
  /** the port of a bridge that it was carried from, past the machine's own rules */
  readonly carriedFrom?: string
}

export type Move =
  | ({ readonly kind: 'final' } & Final)
  | { readonly kind: 'enters'; readonly at: Known; readonly entry: Entry; readonly way: Way }
  | ({ readonly kind: 'on link' } & OnLink)

export const machineOf = (at: Known): Machine => (at.kind === 'machine' ? at.machine : at.own)
export const nameOf = (at: Known): string => machineOf(at).name

export const onMachine = (machine: Machine): Known => ({ kind: 'machine', machine })

export const ends = (way: Way, standing: Known, end: End): Move => ({
  kind: 'final',
  way,
  outcome: { kind: 'ended', machine: nameOf(standing), end, standing },
})

/** Ends beside all rules, which the last step says. */
export const stops = (way: Way, standing: Known, place: string, effect: string, end: End): Move =>
  ends(withStep(way, { machine: nameOf(standing), place, matched: [], effect, weight: 'act' }), standing, end)

/** Nobody has the address. */
export const unanswered = (way: Way, standing: Known, device: string, via: string, why = ''): Move =>
  stops(way, standing, 'neighbours', `refused: nobody on ${device} has the address ${via}${why}`, {
    kind: 'reject',
    with: via.includes(':') ? 'icmp6-addr-unreachable' : 'icmp-host-unreachable',
  })

/** Goes on with the ways that rules let pass. */
export const movesOf = (at: Known, passed: readonly Passed[], next: (way: Way) => readonly Move[]): readonly Move[] =>
  passed.flatMap(({ way, end }) => (end === undefined ? next(way) : [ends(way, at, end)]))

/** Another machine has nothing of what the last one knew. */
export function arrived(way: Way): Way {
  const { connection: _, ...packet } = way.packet
  return { ...way, packet: { ...packet, state: stateElsewhere(packet) } }
}

function stateElsewhere({ state, reset }: Pick<Packet, 'state' | 'reset'>): Packet['state'] {
  if (reset === true) return 'ESTABLISHED'
  return state === 'UNTRACKED' || state === 'INVALID' ? 'NEW' : state
}

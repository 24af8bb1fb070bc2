// One way that a packet may take: its share, what must hold for it, what the packet has become, and the steps so far.
// Ways are values; where a rule can go both ways, a way becomes two.

import { one, times, type Fraction } from '#trace/fraction.ts'
import type { Origin } from '#trace/machine.ts'
import { type Connection, type Packet, type Tuple, tupleOf } from '#trace/packet.ts'
import type { SocketError } from '#trace/refusal.ts'

export type Step = {
  readonly machine: string
  /** where on the machine: `nat PREROUTING`, `routing`, `bridge` ... */
  readonly place: string
  /** the chain, where it is a rule */
  readonly chain?: string
  /** the rule in its own text */
  readonly rule?: string
  readonly origin?: Origin
  /** the number that the kernel gave to a rule of nftables, where the dump has it */
  readonly handle?: number
  /** what it matched, in words */
  readonly matched: readonly string[]
  /** what happened, in words: `jumps to KUBE-SVC-...`, `destination becomes 10.244.1.5:80` */
  readonly effect: string
  /** `act`: changed the packet or ended its way; `turn`: only led on; `look`: was looked at and did not match */
  readonly weight: 'act' | 'turn' | 'look'
}

type Trail = { readonly step: Step; readonly before: Trail | undefined }
type Facts = { readonly condition: string; readonly holds: boolean; readonly before: Facts | undefined }

export type Way = {
  readonly share: Fraction
  /** what must hold for this way, beyond chance */
  readonly conditions: readonly string[]
  /** inputs that would decide the conditions */
  readonly missing: readonly string[]
  readonly facts: Facts | undefined
  readonly packet: Packet
  /** the packet as its sender knows it; `source` '' until it is chosen */
  readonly sent: Tuple
  readonly trail: Trail | undefined
  /** connections that machines which it has left remember */
  readonly tracked: readonly { readonly machine: string; readonly connection: Connection }[]
}

export const startWay = (packet: Packet): Way => ({
  share: one,
  conditions: [],
  missing: [],
  facts: undefined,
  packet,
  sent: tupleOf(packet),
  trail: undefined,
  tracked: [],
})

/** How a packet's way through a chain, a hook or a machine ends. */
export type End =
  | { readonly kind: 'drop'; readonly why?: string; readonly call?: CallError }
  /** `unheard`: why the sender does not take it for an answer */
  | {
      readonly kind: 'reject'
      readonly with: string
      readonly unheard?: string
      /** it goes straight back by the port of the bridge, past all rules */
      readonly isStraight?: true
      readonly call?: CallError
    }
  /** something whose working is not known */
  | { readonly kind: 'unknown'; readonly what: string }
  /** handed to a real server by IPVS, which the packet names now */
  | { readonly kind: 'balanced'; readonly forward: 'masquerade' | 'route' | 'tunnel'; readonly server: string }

/** On the machine of the sender the call that sends fails itself. */
export type CallError = {
  readonly error: SocketError
  /** TCP tries again where the first packet of a connection does not get out, unless there is no way at all */
  readonly hears: 'every socket' | 'datagrams'
}

export type Ended = { readonly way: Way; readonly end: End }
/** After a hook: the way goes on, or has ended. */
export type Passed = { readonly way: Way; readonly end?: End }

/** Whether something holds of a packet. */
export type Matched =
  | { readonly kind: 'yes'; readonly why?: string }
  | { readonly kind: 'no'; readonly why: string }
  | { readonly kind: 'share'; readonly share: Fraction; readonly why?: string }
  | Maybe

/** Holds if `condition` does, or, with `unless`, if it does not; `missing` names the input that would decide it. */
export type Maybe = {
  readonly kind: 'maybe'
  readonly condition: string
  readonly unless?: boolean
  readonly missing?: string
}

export const yes: Matched = { kind: 'yes' }
export const no = (why: string): Matched => ({ kind: 'no', why })

export function factOf(way: Way, condition: string): boolean | undefined {
  for (let fact = way.facts; fact !== undefined; fact = fact.before) if (fact.condition === condition) return fact.holds
  return undefined
}

/** The way on which a condition holds, or does not. */
export function assume(way: Way, condition: string, holds: boolean, missing: string | undefined): Way {
  return {
    ...way,
    facts: { condition, holds, before: way.facts },
    conditions: [...way.conditions, holds ? condition : `not: ${condition}`],
    missing: missing === undefined || way.missing.includes(missing) ? way.missing : [...way.missing, missing],
  }
}

/** The ways on which something undecided holds and fails; one of them only where that is known by now. */
export function bothWays(
  way: Way,
  { condition, unless = false, missing }: Maybe,
): { readonly holds?: Way; readonly fails?: Way } {
  const known = factOf(way, condition)
  if (known !== undefined) return known === unless ? { fails: way } : { holds: way }
  return { holds: assume(way, condition, !unless, missing), fails: assume(way, condition, unless, missing) }
}

/** What holds where something undecided does, and where it does not. */
export const wordsOf = ({ condition, unless = false }: Maybe): { readonly holds: string; readonly fails: string } =>
  unless ? { holds: `not: ${condition}`, fails: condition } : { holds: condition, fails: `not: ${condition}` }

/** Both ways where something is not decided: on which it holds, and on which it does not. */
export function fork<T>(
  way: Way,
  matched: Matched,
  holds: (way: Way) => readonly T[],
  fails: (way: Way, why: string) => readonly T[],
): readonly T[] {
  switch (matched.kind) {
    case 'yes':
      return holds(way)
    case 'no':
      return fails(way, matched.why)
    case 'share':
      return holds(withShare(way, matched.share))
    case 'maybe': {
      const both = bothWays(way, matched)
      return [
        ...(both.holds === undefined ? [] : holds(both.holds)),
        ...(both.fails === undefined ? [] : fails(both.fails, wordsOf(matched).fails)),
      ]
    }
  }
}

export const lacks = (way: Way, missing: string): Way =>
  way.missing.includes(missing) ? way : { ...way, missing: [...way.missing, missing] }

export const withShare = (way: Way, share: Fraction): Way => ({ ...way, share: times(way.share, share) })

export const withPacket = (way: Way, change: Partial<Packet>): Way => ({ ...way, packet: { ...way.packet, ...change } })

export const withStep = (way: Way, step: Step): Way => ({ ...way, trail: { step, before: way.trail } })

export function stepsOf(way: Way): Step[] {
  const steps: Step[] = []
  for (let trail = way.trail; trail !== undefined; trail = trail.before) steps.push(trail.step)
  return steps.reverse()
}

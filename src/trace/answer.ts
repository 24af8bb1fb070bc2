// What comes back to who sent a packet: the answer of the process that has it, or what refuses it, walked all the way.

import { answersAnywhere, listenerInput } from '#trace/listener.ts'
import type { Machine } from '#trace/machine.ts'
import { type Final, type Known, machineOf, type Outcome, type Walk } from '#trace/move.ts'
import {
  equalTuples,
  familyOf,
  inverted,
  type Packet,
  type Protocol,
  renderEnd,
  type Tuple,
  tupleOf,
} from '#trace/packet.ts'
import { closedPort, errorOf, refusalOf, type SocketError } from '#trace/refusal.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import { sourceAddress } from '#trace/route/source.ts'
import { walkFrom, walkStraight } from '#trace/walk-world.ts'
import { assume, factOf, lacks, type Step, stepsOf, type Way } from '#trace/way.ts'
import type { Standing } from '#trace/world.ts'

/** `what`: the words for what was sent back: `its answer`, `the reset`, `the refusal`. */
export type Answer =
  | { readonly kind: 'returns'; readonly steps: readonly Step[] }
  /** what refuses reaches the sender; `with`: `tcp-reset`, `icmp-port-unreachable` ...; `error`: what its socket says */
  | {
      readonly kind: 'refused'
      readonly with: string
      readonly error: SocketError | undefined
      readonly steps: readonly Step[]
    }
  /** it reaches the sender, or would, but not as the answer to what was sent */
  | {
      readonly kind: 'strange'
      readonly what: string
      readonly from: string
      readonly why: string
      readonly steps: readonly Step[]
    }
  | { readonly kind: 'lost'; readonly what: string; readonly outcome: Outcome; readonly steps: readonly Step[] }
  /** nobody answers, or the inputs do not tell how */
  | { readonly kind: 'none' }

type Answered = { readonly way: Way; readonly answer: Answer }

/** Who sends what back; `refusal` is none where a process answers. */
type Reply = {
  readonly standing: Known
  readonly way: Way
  readonly packet: Packet
  /** of what it answers */
  readonly protocol: Protocol
  readonly what: string
  readonly refusal?: string
  readonly isStraight?: boolean
}

/** A way for each answer: also answers meet chance, and conditions. None where nothing is sent back. */
export function answersOf(walk: Walk, final: Final, from: Standing): readonly Answered[] {
  const { sent } = final.way
  const { source, destination } = final.way.packet
  // Where ways are too many to follow, their answers are too.
  if (walk.budget.ways < 0 || source === '?' || destination === '?' || sent.source === '?') return []
  return repliesTo(final).flatMap((reply) => {
    const { standing, way, packet } = reply
    const replied: Way = { ...way, packet, trail: undefined }
    const backs =
      reply.isStraight === true && from.kind === 'behind'
        ? walkStraight(walk, from, replied)
        : walkFrom(walk, standing, replied)
    return backs.map((back) => ({ way: back.way, answer: judge(back, reply, sent, from) }))
  })
}

function repliesTo({ way, outcome }: Final): readonly Reply[] {
  if (outcome.kind === 'ended') {
    const { end, standing } = outcome
    if (end.kind !== 'reject' || end.unheard !== undefined || end.call?.hears === 'every socket') return []
    const refused = refuse(way, standing, end.with)
    return refused === undefined ? [] : [{ ...refused, isStraight: end.isStraight === true }]
  }
  if (outcome.kind !== 'delivered') return []
  const { standing, listener, to } = outcome
  if (listener === 'no' || listener === 'only local') {
    const how = closedPort(way.packet)
    const refused = refuse(way, standing, how)
    // A closed port of TCP answers within the connection; a rule does so beside it.
    const more = how === 'tcp-reset' ? { state: 'ESTABLISHED' as const } : {}
    return refused === undefined ? [] : [{ ...refused, packet: { ...refused.packet, ...more } }]
  }
  const known = listener === 'yes' ? way : lacks(way, listenerInput(to, way.packet))
  return answersFrom(standing, known)
}

/** Of a server's process; one of UDP that listens on every address may leave it to routing which one it answers from. */
function answersFrom(standing: Known, way: Way): readonly Reply[] {
  const { packet } = way
  const answer: Reply = { standing, way, packet: answerTo(packet), protocol: packet.protocol, what: 'its answer' }
  const machine = machineOf(standing)
  if (!answersAnywhere(machine, packet)) return [answer]
  const usual = usualSource(machine, packet)
  if (usual === undefined || usual === packet.destination) return [answer]
  const condition = `the program answers from the address that was asked (${packet.destination}), not from the usual one (${usual})`
  const other = { ...answer, packet: { ...answer.packet, source: usual } }
  const known = factOf(way, condition)
  if (known !== undefined) return [known ? answer : other]
  return [
    { ...answer, way: assume(way, condition, true, undefined) },
    { ...other, way: assume(way, condition, false, undefined) },
  ]
}

/** The address that a machine uses towards who sent a packet. */
function usualSource(machine: Machine, packet: Packet): string | undefined {
  const { source: to, protocol, sourcePort, destinationPort } = packet
  const query = { destination: to, source: '', mark: 0, incoming: '', protocol }
  const ports = { sourcePort: destinationPort, destinationPort: sourcePort }
  const [route] = lookupRoute(machine, { family: familyOf(packet), ...query, ...ports })
  if (route?.routed.kind === 'local') return to
  if (route?.routed.kind !== 'forward') return undefined
  const { source, device, via } = route.routed
  return source ?? sourceAddress(machine, familyOf(packet), device, via ?? to)
}

function refuse(way: Way, standing: Known, how: string): Reply | undefined {
  const packet = refusalOf(way.packet, how)
  const what = how === 'tcp-reset' ? 'the reset' : 'the refusal'
  return packet && { standing, way, packet, protocol: way.packet.protocol, what, refusal: how }
}

function answerTo(got: Packet): Packet {
  const { connection: _, ...rest } = got
  return { ...rest, ...inverted(got), mark: 0, state: 'ESTABLISHED', answers: true }
}

function judge({ way, outcome }: Final, { what, refusal, protocol }: Reply, sent: Tuple, from: Standing): Answer {
  const steps = stepsOf(way)
  // What leaves by an interface that is not known may still be on its way to somebody outside.
  const isHome =
    outcome.kind === 'delivered'
      ? from.kind === 'outside' || sameStanding(outcome.standing, from)
      : from.kind === 'outside' && (outcome.kind === 'left' || outcome.kind === 'sent')
  if (!isHome && outcome.kind === 'sent') return { kind: 'none' }
  if (!isHome) return { kind: 'lost', what, outcome, steps }
  const { packet } = way
  const about = packet.error?.about
  const isExpected = about === undefined ? equalTuples(tupleOf(packet), inverted(sent)) : equalTuples(about, sent)
  if (isExpected)
    return refusal === undefined
      ? { kind: 'returns', steps }
      : { kind: 'refused', with: refusal, error: errorOf(refusal, protocol, familyOf(packet)), steps }
  const asked = renderEnd(sent.destination, sent.destinationPort)
  const seen = renderEnd(packet.source, packet.sourcePort, packet.protocol)
  const why =
    about === undefined
      ? `${what === 'its answer' ? 'the answer' : what} comes from ${seen}, but the packet was sent to ${asked}: the sender refuses it`
      : `the refusal is about a packet to ${renderEnd(about.destination, about.destinationPort)}, but it was sent to ${asked}: the sender does not know of it`
  return { kind: 'strange', what, from: seen, why, steps }
}

function sameStanding(a: Standing, b: Standing): boolean {
  const name = (standing: Standing) =>
    standing.kind === 'outside' ? '' : standing.kind === 'machine' ? standing.machine.name : standing.own.name
  return name(a) === name(b)
}

// What comes back to who sent a packet: the answer of the process that has it, or what refuses it, walked all the way.

import { listenerInput } from '#trace/listener.ts'
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
import { type Final, type Known, type Outcome, type Walk, walkFrom, walkStraight } from '#trace/walk-world.ts'
import { lacks, type Step, stepsOf, type Way } from '#trace/way.ts'
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
  const sent = firstTuple(final.way)
  // Where ways are too many to follow, their answers are too.
  const reply = walk.budget.ways < 0 ? undefined : replyTo(final)
  const { source, destination } = final.way.packet
  if (reply === undefined || sent === undefined || source === '?' || destination === '?') return []
  const { standing, way, packet } = reply
  const replied: Way = { ...way, packet, trail: undefined }
  const backs =
    reply.isStraight === true && from.kind === 'behind'
      ? walkStraight(walk, from, replied)
      : walkFrom(walk, standing, replied)
  return backs.map((back) => ({
    way: back.way,
    answer: judge(back, reply, sent, from),
  }))
}

/** As the sender sees its own packet: the tuple of the first machine that tracked it. */
const firstTuple = (way: Way): Tuple | undefined => way.tracked[0]?.connection.original

function replyTo({ way, outcome }: Final): Reply | undefined {
  if (outcome.kind === 'ended') {
    const { end, standing } = outcome
    if (end.kind !== 'reject' || end.unheard !== undefined || end.call?.hears === 'every socket') return undefined
    const refused = refuse(way, standing, end.with)
    return refused && { ...refused, isStraight: end.isStraight === true }
  }
  if (outcome.kind !== 'delivered') return undefined
  const { standing, listener, to } = outcome
  if (listener === 'no' || listener === 'only local') {
    const how = closedPort(way.packet)
    const refused = refuse(way, standing, how)
    // A closed port of TCP answers within the connection; a rule does so beside it.
    return (
      refused && { ...refused, packet: { ...refused.packet, ...(how === 'tcp-reset' && { state: 'ESTABLISHED' }) } }
    )
  }
  const known = listener === 'yes' ? way : lacks(way, listenerInput(to, way.packet))
  return { standing, way: known, packet: answerTo(way.packet), protocol: way.packet.protocol, what: 'its answer' }
}

function refuse(way: Way, standing: Known, how: string): Reply | undefined {
  const packet = refusalOf(way.packet, how)
  const what = how === 'tcp-reset' ? 'the reset' : 'the refusal'
  return packet && { standing, way, packet, protocol: way.packet.protocol, what, refusal: how }
}

function answerTo(got: Packet): Packet {
  const { connection: _, ...rest } = got
  return { ...rest, ...inverted(got), mark: 0, state: 'ESTABLISHED' }
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

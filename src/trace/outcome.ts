// What became of a packet, in words.

import { clientSees, renderSees } from '#trace/client.ts'
import { percent, plus, zero, type Fraction } from '#trace/fraction.ts'
import type { Listener } from '#trace/listener.ts'
import { type Packet, renderEnd } from '#trace/packet.ts'
import type { Traced } from '#trace/trace.ts'
import type { Outcome } from '#trace/move.ts'
import type { Step } from '#trace/way.ts'

/** Ways that end alike, for those who ask what happens. */
export type Verdict = {
  readonly share: Fraction
  readonly conditions: readonly string[]
  readonly text: string
  readonly ways: readonly Traced[]
}

/** The ways of a trace, those together that end alike on the same conditions; the likeliest first. */
export function verdictsOf(ways: readonly Traced[]): Verdict[] {
  const groups = new Map<string, { share: Fraction; conditions: readonly string[]; text: string; ways: Traced[] }>()
  for (const way of ways) {
    const text = renderWay(way)
    const key = JSON.stringify([text, way.conditions])
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { share: way.share, conditions: way.conditions, text, ways: [way] })
    else {
      known.share = plus(known.share, way.share)
      known.ways.push(way)
    }
  }
  return [...groups.values()].toSorted(
    (a, b) =>
      a.conditions.length - b.conditions.length || compareShares(b.share, a.share) || (a.text < b.text ? -1 : 1),
  )
}

const compareShares = (a: Fraction, b: Fraction): number => {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator
  // Thirds of a third are not worth an order of their own.
  const unit = (a.denominator * b.denominator) >> 24n
  return difference > unit ? 1 : difference < -unit ? -1 : 0
}

/** `reaches pod/web-0 at 10.244.1.5:80, from 10.244.0.1; its answer comes back` */
export const renderWay = (way: Traced): string => `${renderOutcome(way)}${renderAnswer(way)}${renderClient(way)}`

export function renderOutcome({ outcome, packet, steps }: Traced): string {
  const to = renderEnd(packet.destination, packet.destinationPort, packet.protocol)
  const from = renderSource(packet, steps)
  switch (outcome.kind) {
    case 'delivered':
      return `reaches ${outcome.to} at ${to}${from}${silence[outcome.listener]}`
    case 'left':
      return `leaves ${outcome.machine} by ${outcome.device} for ${to}${outcome.via === packet.destination ? '' : ` via ${outcome.via}`}${from}`
    case 'sent':
      return `goes to ${to}${from}`
    case 'ended':
      return renderEnded(outcome, steps)
  }
}

const silence: Readonly<Record<Listener, string>> = {
  yes: '',
  unknown: '',
  no: ', where nothing listens',
  'only local': ', where a process listens at the loopback address only',
}

/** Said where it is not the source that the packet began with. */
function renderSource({ source }: Packet, steps: readonly Step[]): string {
  if (source === '?') return ", from the node's own address"
  return steps.some(({ effect }) => effect.includes('source becomes')) ? `, from ${source}` : ''
}

function renderEnded({ machine, end }: Extract<Outcome, { kind: 'ended' }>, steps: readonly Step[]): string {
  const last = steps.findLast(({ weight }) => weight === 'act')
  const by =
    last?.chain === undefined ? ` by ${machine}` : ` by ${last.chain}${machine === 'the node' ? '' : ` on ${machine}`}`
  switch (end.kind) {
    case 'drop':
      return last?.chain === undefined && end.why !== undefined
        ? `is dropped by ${machine}: ${end.why}`
        : `is dropped${by}`
    case 'reject':
      return last?.chain === undefined && last !== undefined
        ? `is ${last.effect} (${end.with}) on ${machine}`
        : `is refused with ${end.with}${by}${end.unheard === undefined ? '' : `, which the sender does not hear: ${end.unheard}`}`
    case 'balanced':
      return `is handed to ${end.server} by IPVS`
    case 'unknown':
      return `cannot be followed: ${end.what}`
  }
}

function renderAnswer({ answer, outcome }: Traced): string {
  switch (answer.kind) {
    case 'none':
      return ''
    case 'returns':
      return '; its answer comes back'
    case 'refused':
      return outcome.kind === 'delivered' ? `: refused with ${answer.with}` : ''
    case 'strange':
      return `; but ${answer.why}`
    case 'lost': {
      const where =
        answer.outcome.kind === 'left' || answer.outcome.kind === 'ended' || answer.outcome.kind === 'sent'
          ? answer.outcome.machine
          : answer.outcome.to
      const what =
        answer.outcome.kind === 'ended'
          ? renderEnded(answer.outcome, answer.steps)
          : `does not find its way back from ${where}`
      return `; but ${answer.what} ${what}`
    }
  }
}

/** Where it is not plain from the rest. */
function renderClient(way: Traced): string {
  const sees = clientSees(way)
  return sees === undefined || sees === 'answer' ? '' : `; the client sees ${renderSees(sees)}`
}

export const renderShare = (share: Fraction): string => percent(share)
export const totalShare = (ways: readonly Traced[]): Fraction => ways.reduce((sum, { share }) => plus(sum, share), zero)

// A trace as JSON; README.md documents the fields.

import type { Answer } from '#trace/answer.ts'
import { clientSees } from '#trace/client.ts'
import { percent } from '#trace/fraction.ts'
import { renderWay } from '#trace/outcome.ts'
import type { Packet } from '#trace/packet.ts'
import type { Traced } from '#trace/trace.ts'
import type { Outcome } from '#trace/move.ts'
import type { Step } from '#trace/way.ts'

export type TraceDocument = {
  readonly version: 1
  readonly packet: Json
  readonly ways: readonly Json[]
  readonly closest: readonly string[]
  readonly problems: readonly string[]
}
type Json = Readonly<Record<string, unknown>>

export const traceDocument = (
  packet: Packet,
  ways: readonly Traced[],
  more: { readonly closest: readonly string[]; readonly problems: readonly string[] },
): TraceDocument => {
  let left = mostSteps
  const told = ways.map((way) => {
    left -= way.steps.length + ('steps' in way.answer ? way.answer.steps.length : 0)
    return wayJson(way, left >= 0)
  })
  return { version: 1, packet: packetJson(packet), ways: told, ...more }
}

/** How many steps a document holds: ways that nothing decides may have millions. */
const mostSteps = 200_000

const wayJson = (way: Traced, withSteps: boolean): Json => ({
  share: `${way.share.numerator}/${way.share.denominator}`,
  percent: percent(way.share),
  text: renderWay(way),
  conditions: way.conditions,
  missing: way.missing,
  outcome: outcomeJson(way.outcome),
  packet: packetJson(way.packet),
  answer: answerJson(way.answer, withSteps),
  client: clientSees(way) ?? 'unknown',
  steps: withSteps ? way.steps.map(stepJson) : [],
  ...(!withSteps && { stepsLeftOut: true }),
})

const packetJson = ({ protocol, source, sourcePort, destination, destinationPort, mark, size }: Packet): Json => ({
  protocol,
  source,
  sourcePort,
  destination,
  destinationPort,
  mark,
  size,
})

function outcomeJson(outcome: Outcome): Json {
  switch (outcome.kind) {
    case 'delivered':
      return { kind: 'delivered', to: outcome.to, listener: outcome.listener }
    case 'left':
    case 'sent':
      return outcome
    case 'ended': {
      const { kind, ...rest } = outcome.end
      return {
        kind: { drop: 'dropped', reject: 'refused', unknown: 'unknown', balanced: 'balanced' }[kind],
        machine: outcome.machine,
        ...rest,
      }
    }
  }
}

function answerJson(answer: Answer, withSteps: boolean): Json {
  if (answer.kind === 'none') return { kind: 'none' }
  const steps = withSteps ? answer.steps.map(stepJson) : []
  switch (answer.kind) {
    case 'returns':
      return { kind: 'returns', steps }
    case 'refused':
      return { kind: 'refused', with: answer.with, steps }
    case 'strange':
      return { kind: 'strange', from: answer.from, why: answer.why, steps }
    case 'lost':
      return { kind: 'lost', outcome: outcomeJson(answer.outcome), steps }
  }
}

const stepJson = ({ origin, ...step }: Step): Json => ({
  ...step,
  ...(origin && { file: origin.file, line: origin.line }),
})

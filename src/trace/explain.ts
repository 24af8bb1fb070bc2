// What a walk found, in words: the answer first, then the rules that led there.

import { percent, plus, zero, type Fraction } from '#trace/fraction.ts'
import type { Walked } from '#trace/walk.ts'

/** Ways that end alike, for those who ask what happens. */
export type Verdict = {
  readonly share: Fraction
  readonly conditions: readonly string[]
  readonly text: string
  readonly ways: readonly Walked[]
}

/** The ways of a walk, those together that end alike on the same conditions; the likeliest first. */
export function verdictsOf(ways: readonly Walked[]): Verdict[] {
  const groups = new Map<string, Verdict>()
  for (const way of ways) {
    const text = renderOutcome(way)
    const key = JSON.stringify([text, way.conditions])
    const known = groups.get(key)
    groups.set(key, {
      share: plus(known?.share ?? zero, way.share),
      conditions: way.conditions,
      text,
      ways: [...(known?.ways ?? []), way],
    })
  }
  return [...groups.values()].toSorted(
    (a, b) => a.conditions.length - b.conditions.length || (a.text < b.text ? -1 : 1),
  )
}

export function renderOutcome({ outcome, packet, steps }: Walked): string {
  const to = packet.destination.includes(':')
    ? `[${packet.destination}]:${packet.destinationPort}`
    : `${packet.destination}:${packet.destinationPort}`
  const masqueraded = packet.before?.source !== undefined ? ", from the node's own address" : ''
  switch (outcome.kind) {
    case 'forwarded':
    case 'sent':
      return `goes to ${to}${masqueraded}`
    case 'local':
      return `reaches this machine at ${to}`
    case 'dropped':
      return `is dropped${by(steps)}`
    case 'refused':
      return `is refused with ${outcome.with}${by(steps)}`
    case 'unknown':
      return `cannot be followed: ${outcome.target}`
  }
}

const by = (steps: Walked['steps']) => (steps.length === 0 ? '' : ` by ${steps.at(-1)!.chain}`)

/** The text for people. `all` also shows rules that changed nothing but the way. */
export function explain(ways: readonly Walked[], options: { readonly all: boolean }): string {
  const lines: string[] = []
  for (const verdict of verdictsOf(ways)) {
    const when = verdict.conditions.length === 0 ? '' : ` if ${verdict.conditions.join(', and ')}`
    lines.push(`${percent(verdict.share).padStart(6)}  ${verdict.text}${when}`)
    const [way] = verdict.ways
    for (const step of way!.steps) {
      if (!options.all && step.effect === 'returns') continue
      const { file, line } = step.rule.origin
      lines.push(`        ${file}:${line}  ${step.table} ${step.rule.text}`, `          ${step.effect}`)
    }
  }
  const missing = [...new Set(ways.flatMap((way) => way.missing))]
  if (missing.length > 0) lines.push(`What would tell more: ${missing.join(', ')}`)
  return `${lines.join('\n')}\n`
}

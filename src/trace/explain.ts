// A trace in words: the answer first, then the steps that led there.

import type { Answer } from '#trace/answer.ts'
import { percent } from '#trace/fraction.ts'
import { verdictsOf } from '#trace/outcome.ts'
import { type Packet, renderPacket } from '#trace/packet.ts'
import type { Traced } from '#trace/trace.ts'
import type { Step } from '#trace/way.ts'

export type ExplainOptions = {
  /** every step and every rule that was looked at, of every way */
  readonly all: boolean
  /** what came close to matching, where nothing did */
  readonly closest?: readonly string[]
}

/** How many ways are shown step by step unless all are asked for. */
const mostShown = 3

/** The text for people. */
export function explain(packet: Packet, ways: readonly Traced[], { all, closest = [] }: ExplainOptions): string {
  const verdicts = verdictsOf(ways)
  const lines = [renderPacket(packet), '']
  for (const { share, conditions, text } of verdicts) {
    lines.push(`${percent(share).padStart(6)}  ${text}${renderConditions(conditions)}`)
  }
  if (closest.length > 0) lines.push('', 'What came closest to matching:', ...closest.map((line) => `  ${line}`))
  const examples = verdicts.flatMap((verdict) => (all ? verdict.ways : verdict.ways.slice(0, 1)))
  const shown = all ? withinBounds(examples) : examples.slice(0, mostShown)
  const told = shown.map((way) => (all ? way.steps : telling(way.steps)))
  const common = commonSteps(told)
  if (shown.length > 1 && common > 0)
    lines.push('', 'All of these begin with', ...renderSteps(told[0]!.slice(0, common), all))
  for (const [i, way] of shown.entries()) {
    const rest = told[i]!.slice(shown.length > 1 ? common : 0)
    const text = verdicts.find((verdict) => verdict.ways.includes(way))!.text
    lines.push('', `${percent(way.share)} ${text}`, ...renderSteps(rest, all), ...renderBack(way.answer, all))
  }
  const more = examples.length - shown.length
  if (more > 0)
    lines.push(
      '',
      `${more === 1 ? '1 more way is' : `${more} more ways are`} like these${all ? '' : ' (--all shows all)'}`,
    )
  const missing = [...new Set(ways.flatMap((way) => way.missing.flatMap((text) => text.split(', '))))]
  if (missing.length > 0) lines.push('', `What would tell more: ${missing.join(', ')}`)
  return `${lines.join('\n')}\n`
}

/** How many steps are told at most: ways that nothing decides may have millions. */
const mostSteps = 200_000

function withinBounds(ways: readonly Traced[]): readonly Traced[] {
  let left = mostSteps
  return ways.filter(({ steps }, i) => (left -= steps.length) >= 0 || i === 0)
}

/** ` if a and b, unless c or d` */
function renderConditions(conditions: readonly string[]): string {
  const not = 'not: '
  const holds = conditions.filter((condition) => !condition.startsWith(not))
  const fails = conditions.filter((condition) => condition.startsWith(not)).map((text) => text.slice(not.length))
  return [
    ...(holds.length > 0 ? [` if ${holds.join(' and ')}`] : []),
    ...(fails.length > 0 ? [` unless ${fails.join(' or ')}`] : []),
  ].join(',')
}

/** How many steps are the same at the beginning of all ways. */
function commonSteps(ways: readonly (readonly Step[])[]): number {
  const [first = [], ...others] = ways
  let length = 0
  while (length < first.length && others.every((steps) => isSame(steps[length], first[length]!))) length++
  return others.length === 0 ? 0 : length
}

const isSame = (a: Step | undefined, b: Step) =>
  a !== undefined &&
  a.machine === b.machine &&
  a.place === b.place &&
  a.rule === b.rule &&
  a.effect === b.effect &&
  a.origin?.line === b.origin?.line

/** Without what only was looked at, and without the ways into chains where nothing happened. */
function telling(steps: readonly Step[]): readonly Step[] {
  const entered = new Set<string>()
  const at = (step: Step, chain: string) => `${step.machine} ${step.place} ${chain}`
  const kept: Step[] = []
  for (const step of steps.toReversed()) {
    if (step.weight === 'look') continue
    const [, into] = / to (\S+)$/.exec(step.weight === 'turn' && step.rule !== undefined ? step.effect : '') ?? []
    if (step.weight === 'turn' && step.rule !== undefined && (into === undefined || !entered.delete(at(step, into))))
      continue
    if (step.chain !== undefined) entered.add(at(step, step.chain))
    kept.push(step)
  }
  return kept.reverse()
}

function renderSteps(steps: readonly Step[], all: boolean): string[] {
  const lines: string[] = []
  let machine = ''
  for (const step of steps) {
    if (step.machine !== machine) lines.push(`  ${step.machine}`)
    machine = step.machine
    const { origin } = step
    const where =
      origin !== undefined
        ? `${origin.file}:${origin.line}  `
        : step.handle !== undefined
          ? `handle ${step.handle}  `
          : ''
    const why = step.matched.length > 0 && (all || step.weight === 'act') ? `  (${step.matched.join(', ')})` : ''
    if (step.rule === undefined) lines.push(`    ${step.place}: ${step.effect}${why}`)
    else lines.push(`    ${step.place}  ${where}${step.rule}`, `      ${step.effect}${why}`)
  }
  return lines
}

/** The way of the answer, where something is wrong with it or all is asked for. */
function renderBack(answer: Answer, all: boolean): string[] {
  if (answer.kind === 'none' || ((answer.kind === 'returns' || answer.kind === 'refused') && !all)) return []
  return [`  and back:`, ...renderSteps(all ? answer.steps : telling(answer.steps), all)]
}

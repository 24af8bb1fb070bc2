// A trace in words: the answer first, then the steps that led there.

import type { Answer } from '#trace/answer.ts'
import { percent } from '#trace/fraction.ts'
import { type Verdict, verdictsOf } from '#trace/outcome.ts'
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
  lines.push(...renderVerdicts(verdicts))
  if (closest.length > 0) lines.push('', 'What came closest to matching:', ...closest.map((line) => `  ${line}`))
  const examples = verdicts.flatMap((verdict) => (all ? verdict.ways : verdict.ways.slice(0, 1)))
  const shown = all ? withinBounds(examples) : examples.slice(0, mostShown)
  const told = shown.map((way) => (all ? way.steps : telling(way.steps)))
  const common = commonSteps(told)
  if (shown.length > 1 && common > 0)
    lines.push('', 'All of these begin with', ...renderSteps(told[0]!.slice(0, common), all))
  for (const [i, way] of shown.entries()) {
    const rest = told[i]!.slice(shown.length > 1 ? common : 0)
    const { text, share } = verdicts.find((verdict) => verdict.ways.includes(way))!
    // One way alone needs no heading: it stands above.
    const heading = examples.length === 1 ? [] : [`${percent(all ? way.share : share)} ${text}`]
    const own = told[i]!.length === 0 ? ['  no rule that is known changes it'] : renderSteps(rest, all)
    lines.push('', ...heading, ...own, ...renderBack(way.answer, all))
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

/** Those that hang on the same conditions under one heading. */
function renderVerdicts(verdicts: readonly Verdict[]): string[] {
  const groups = Map.groupBy(verdicts, ({ conditions }) => conditions.join('\n'))
  return [...groups.values()].flatMap((group, i) => {
    const { conditions } = group[0]!
    const heading = conditions.length === 0 ? [] : [...(i === 0 ? [] : ['']), `${renderConditions(conditions)}:`]
    return [...heading, ...group.map(({ share, text }) => `${percent(share).padStart(6)}  ${text}`)]
  })
}

/** `If a and b, unless c or d`; `Unless c` */
function renderConditions(conditions: readonly string[]): string {
  const not = 'not: '
  const holds = conditions.filter((condition) => !condition.startsWith(not))
  const fails = conditions.filter((condition) => condition.startsWith(not)).map((text) => text.slice(not.length))
  const [when, unless] = [`If ${holds.join(' and ')}`, `nless ${fails.join(' or ')}`]
  if (fails.length === 0) return when
  return holds.length === 0 ? `U${unless}` : `${when}, u${unless}`
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

/** By machines, each with the file of its rules. */
function renderSteps(steps: readonly Step[], all: boolean): string[] {
  const lines: string[] = []
  for (const [i, step] of steps.entries()) {
    const isFirst = step.machine !== steps[i - 1]?.machine
    const file = fileOf(steps, i)
    if (isFirst) lines.push(`  ${step.machine}${file === undefined ? '' : `  (${file})`}`)
    const why = renderWhy(step, all)
    if (step.rule === undefined) lines.push(`    ${step.place}: ${step.effect}${why}`)
    else lines.push(`    ${step.place}  ${renderOrigin(step, file)}${step.rule}`, `      ${step.effect}${why}`)
  }
  return lines
}

/** The file of the first rule of the machine that step `at` is on. */
function fileOf(steps: readonly Step[], at: number): string | undefined {
  const { machine } = steps[at]!
  let first = at
  while (steps[first - 1]?.machine === machine) first--
  const last = steps.findIndex((step, i) => i > first && step.machine !== machine)
  return steps.slice(first, last < 0 ? undefined : last).find(({ origin }) => origin !== undefined)?.origin?.file
}

function renderOrigin({ origin, handle }: Step, file: string | undefined): string {
  if (origin === undefined) return handle === undefined ? '' : `handle ${handle}  `
  return origin.file === file ? `line ${origin.line}  ` : `${origin.file}:${origin.line}  `
}

/** What the rule itself says is no reason: chance is, and what the packet has come to be. */
function renderWhy({ matched, weight, rule }: Step, all: boolean): string {
  const told = matched.filter((text) => all || (weight === 'act' ? !text.startsWith('protocol is') : isTelling(text)))
  return told.length === 0 || (!all && weight === 'look') || (rule === undefined && weight === 'turn' && !all)
    ? ''
    : `  (${told.join(', ')})`
}

/** Chance, or an element of a map, which has the name of its Service. */
const isTelling = (text: string) => /^(chosen at random|choice \d+ of \d+|\S+: .+ : )/.test(text)

/** The way of the answer, where something is wrong with it or all is asked for. */
function renderBack(answer: Answer, all: boolean): string[] {
  if (answer.kind === 'none' || ((answer.kind === 'returns' || answer.kind === 'refused') && !all)) return []
  return [`  and back:`, ...renderSteps(all ? answer.steps : telling(answer.steps), all)]
}

// The part of JSONPath that printer columns, scale and field selectors use: `.status.conditions[?(@.type=="Ready")].status`.

import { isObject } from '#api/custom/schema-node.ts'

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'deep' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly operator: string; readonly value: unknown }

export type JsonPath = readonly Step[]

/** Undefined: it cannot be read. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const steps: Step[] = []
  let rest = text.startsWith('$') ? text.slice(1) : text
  while (rest !== '') {
    const step = nextStep(rest)
    if (step === undefined) return undefined
    steps.push(step.step)
    rest = rest.slice(step.length)
  }
  return steps
}

function nextStep(text: string): { readonly step: Step; readonly length: number } | undefined {
  const match = (pattern: RegExp) => pattern.exec(text)
  const made = (step: Step, found: RegExpExecArray) => ({ step, length: found[0].length })
  const deep = match(/^\.\.(?=[^.])/)
  if (deep !== null) return { step: { kind: 'deep' }, length: 1 }
  const star = match(/^(?:\.\*|\[\*\])/)
  if (star !== null) return made({ kind: 'all' }, star)
  const name = match(/^\.((?:\\.|[^.[\]\\\s(){}*,])+)/)
  if (name !== null) return made({ kind: 'field', name: name[1]!.replaceAll(/\\(.)/g, '$1') }, name)
  const index = match(/^\[(-?\d+)\]/)
  if (index !== null) return made({ kind: 'index', at: Number(index[1]) }, index)
  const quoted = match(/^\[(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\]/)
  if (quoted !== null)
    return made({ kind: 'field', name: (quoted[1] ?? quoted[2] ?? '').replaceAll(/\\(.)/g, '$1') }, quoted)
  const filter = match(
    /^\[\?\(\s*@((?:\.[^\s=!<>)]+|\[[^\]]*\])*)\s*(?:(==|!=|<=|>=|<|>)\s*("[^"]*"|'[^']*'|[^\s)]+)\s*)?\)\]/,
  )
  if (filter === null) return undefined
  const path = parseJsonPath(filter[1]!)
  if (path === undefined) return undefined
  return made({ kind: 'filter', path, operator: filter[2] ?? '', value: literal(filter[3]) }, filter)
}

function literal(text: string | undefined): unknown {
  if (text === undefined) return undefined
  if (/^["']/.test(text)) return text.slice(1, -1)
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text)
  return Number.isNaN(number) ? text : number
}

/** Everything that the path leads to; what is missing leads nowhere. */
export function findAll(value: unknown, path: JsonPath): readonly unknown[] {
  return path.reduce<readonly unknown[]>((found, step) => found.flatMap((one) => follow(one, step)), [value])
}

function follow(value: unknown, step: Step): readonly unknown[] {
  switch (step.kind) {
    case 'field':
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : []
    case 'index': {
      const item = Array.isArray(value) ? (value.at(step.at) as unknown) : undefined
      return item === undefined ? [] : [item]
    }
    case 'all':
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
    case 'deep':
      return [value, ...below(value)]
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => passes(item, step)) : []
  }
}

function below(value: unknown): readonly unknown[] {
  const inside = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
  return inside.flatMap((one) => [one, ...below(one)])
}

function passes(item: unknown, { path, operator, value }: Extract<Step, { kind: 'filter' }>): boolean {
  const [found] = findAll(item, path)
  if (operator === '') return found !== undefined
  switch (operator) {
    case '==':
      return found === value
    case '!=':
      return found !== undefined && found !== value
    default:
      return typeof found === typeof value && compares(found as number, operator, value as number)
  }
}

function compares(found: number, operator: string, value: number): boolean {
  switch (operator) {
    case '<':
      return found < value
    case '<=':
      return found <= value
    case '>':
      return found > value
    default:
      return found >= value
  }
}

/** As printing shows a value: text as it is, the rest as JSON. */
export const printed = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

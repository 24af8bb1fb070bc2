// Shares of a route for another back end. The rule by which requests are told apart stands in the configuration, once for
// all routes that have the same; weight and back end are in the map.

import type { CanaryRule } from '#ingress/annotations/settings.ts'
import { fields } from '#ingress/haproxy/fields.ts'
import type { Route, RoutingTable } from '#ingress/route.ts'

/** The rule's name in the map's values: its place in the list, or nothing where only the weight counts. */
export function nameOfRule(rules: readonly string[] | undefined, canary: CanaryRule): string | undefined {
  const text = ruleText(canary)
  if (rules === undefined) return undefined
  if (text === '{}') return ''
  const at = rules.indexOf(text)
  return at < 0 ? undefined : String(at)
}

/** Undefined: there is no canary. */
export function canaryRulesOf({ routes }: Pick<RoutingTable, 'routes'>): readonly string[] | undefined {
  const rules = new Set<string>()
  for (const { canary } of routes.values()) if (canary !== undefined) rules.add(ruleText(canary))
  return rules.size === 0 ? undefined : [...rules].filter((text) => text !== '{}').sort()
}

const ruleText = ({ header, cookie }: CanaryRule): string => JSON.stringify({ header, cookie })

/** Of ten thousand requests. */
export const shareOf = ({ weight }: NonNullable<Route['canary']>): number => Math.round(weight * 100)

const share = (place: number): string => `var(txn.share),field(${place},/)`
const backends = { main: `%[var(txn.route),field(${fields.backend},|)]`, canary: `%[${share(3)}]` }

/** The lines of the frontend that choose a canary, before that which chooses the main back end. */
export function renderCanaries(rules: readonly string[]): string {
  const has = '{ var(txn.share) -m len gt 0 }'
  const lines = rules.flatMap((text, at) => {
    const { header, cookie } = JSON.parse(text) as CanaryRule
    const isRule = `{ ${share(1)} -m str ${at} }`
    const use = (where: keyof typeof backends, fetch: string, value: string) =>
      `use_backend ${backends[where]} if ${isRule} { ${fetch} -m str -- '${value.replaceAll("'", String.raw`'\''`)}' }`
    const alwaysOrNever = (fetch: string) => [use('canary', fetch, 'always'), use('main', fetch, 'never')]
    return [
      ...(header === undefined
        ? []
        : header.value === undefined
          ? alwaysOrNever(`req.hdr(${header.name})`)
          : [use('canary', `req.hdr(${header.name})`, header.value)]),
      ...(cookie === undefined ? [] : alwaysOrNever(`req.cook(${cookie})`)),
    ]
  })
  return [
    `http-request set-var(txn.share) var(txn.route),field(${fields.share},|)`,
    `http-request set-var(txn.weight) ${share(2)} if ${has}`,
    ...lines,
    `use_backend ${backends.canary} if ${has} { rand(10000),sub(txn.weight) -m int lt 0 }`,
  ]
    .map((line) => `  ${line}\n`)
    .join('')
}

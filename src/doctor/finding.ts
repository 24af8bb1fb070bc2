// What is wrong, in the words of whoever has to put it right; what only follows from another finding is folded under it.

import type { Remedy } from '#doctor/remedy.ts'
import { type Code, factsOf, type Severity, stages } from '#doctor/codes.ts'

export type Finding = {
  readonly code: Code
  readonly severity: Severity
  /** `svc/default/web`, `node/node-1`, `pod/default/web-0`, `cluster` */
  readonly about: string
  readonly summary: string
  /** the rule, object, parameter or entry itself */
  readonly evidence: readonly string[]
  /** which clients fail how, in which share of cases */
  readonly consequence: string
  /** what puts it right, in this order; `renderRemedy` has the commands */
  readonly remedy: readonly Remedy[]
  /** inputs that were not there, and what is taken for granted without them */
  readonly restsOn: readonly string[]
  /** `namespace/name` of the Services that it concerns; none: all of them */
  readonly services: readonly string[]
  /** none: all of them */
  readonly nodes: readonly string[]
  /** findings that only follow from this one */
  readonly folded: readonly Finding[]
}

type Draft = Pick<Finding, 'code' | 'about' | 'summary' | 'consequence'> & Partial<Finding>

/** With the severity of its code unless the draft has another. */
export const finding = (draft: Draft): Finding => ({
  severity: factsOf(draft.code).severity,
  evidence: [],
  remedy: [],
  restsOn: [],
  services: [],
  nodes: [],
  folded: [],
  ...draft,
})

/** In the order in which to mend them, each with what only follows from it. */
export function arrange(findings: readonly Finding[]): Finding[] {
  const sorted = joinAlike(findings).toSorted(compareFindings)
  const parents = new Map<Finding, Finding>()
  for (const child of sorted) {
    const parent = parentOf(child, sorted)
    if (parent !== undefined) parents.set(child, parent)
  }
  const rootOf = (item: Finding): Finding => {
    const seen = new Set<Finding>()
    let root = item
    for (let next = parents.get(root); next !== undefined && !seen.has(next); next = parents.get(root)) {
      seen.add(root)
      root = next
    }
    return root
  }
  return sorted
    .filter((item) => rootOf(item) === item)
    .map((root) => ({ ...root, folded: sorted.filter((item) => item !== root && rootOf(item) === root) }))
}

/** One that explains it, or the first of several alike that do together, each on nodes of its own. */
function parentOf(child: Finding, all: readonly Finding[]): Finding | undefined {
  const others = all.filter((other) => other !== child)
  const single = others.find((other) => explains(other, child))
  if (single !== undefined || child.nodes.length < 2) return single
  const partial = others.filter(({ nodes }) => nodes.some((node) => child.nodes.includes(node)))
  return [...Map.groupBy(partial, ({ code }) => code).values()]
    .map((alike) =>
      alike.filter((one) => explains(one, { ...child, nodes: child.nodes.filter((node) => one.nodes.includes(node)) })),
    )
    .find((alike) => covers([...new Set(alike.flatMap(({ nodes }) => nodes))], child.nodes) && alike.length > 0)?.[0]
}

/** What two checks found of one thing, each in its own way. */
function joinAlike(findings: readonly Finding[]): Finding[] {
  const alike = Map.groupBy(findings, ({ code, about, nodes, services }) =>
    JSON.stringify([code, about, nodes, services]),
  )
  return [...alike.values()].map(([first, ...others]) => ({
    ...first!,
    evidence: [...new Set([first!, ...others].flatMap(({ evidence }) => evidence))],
    restsOn: [...new Set([first!, ...others].flatMap(({ restsOn }) => restsOn))],
  }))
}

function explains(parent: Finding, child: Finding): boolean {
  const { explains: all = [], explainsBySameRule: some = [] } = factsOf(parent.code)
  const isNamed =
    all.includes(child.code) ||
    (some.includes(child.code) && parent.evidence.some((text) => child.evidence.includes(text)))
  return isNamed && covers(parent.services, child.services) && covers(parent.nodes, child.nodes)
}

/** No names at all mean everything. */
const covers = (wide: readonly string[], narrow: readonly string[]): boolean =>
  wide.length === 0 || (narrow.length > 0 && narrow.every((name) => wide.includes(name)))

const rank = ({ code, severity }: Finding): number =>
  (severity === 'error' ? 0 : 100) + stages.indexOf(factsOf(code).stage)

const compareFindings = (a: Finding, b: Finding): number =>
  rank(a) - rank(b) || (a.code < b.code ? -1 : a.code > b.code ? 1 : a.about < b.about ? -1 : 1)

// Objects and rules are read one after the other. In a cluster in motion they disagree for a moment: of a live cluster counts
// only what a second look shows too.

import type { Difference } from '#doctor/compare/difference.ts'
import type { Finding } from '#doctor/finding.ts'

/** What one look showed, before findings are sorted. */
export type Look = { readonly differences: readonly Difference[]; readonly found: readonly Finding[] }

export const needsSecondLook = ({ differences, found }: Look): boolean => differences.length > 0 || found.length > 0

/** Differences of the second look that the first had too, with the endpoints that both name. */
export function stayingDifferences(first: readonly Difference[], second: readonly Difference[]): Difference[] {
  const before = Map.groupBy(first, keyOf)
  return second.flatMap((item) => {
    const known = before.get(keyOf(item)) ?? []
    const targets = item.targets.filter((target) => known.some((one) => one.targets.includes(target)))
    const stays = item.targets.length === 0 ? known.length > 0 : targets.length > 0
    return stays ? [{ ...item, targets }] : []
  })
}

const keyOf = ({ kind, node, asker, front }: Difference): string =>
  [kind, node, asker, front.service, front.kind, front.ip, front.port, front.protocol, front.family].join(' ')

export function stayingFindings(first: readonly Finding[], second: readonly Finding[]): Finding[] {
  const before = new Set(first.map(({ code, about }) => `${code} ${about}`))
  return second.filter(({ code, about }) => before.has(`${code} ${about}`))
}

// One front on one node, as it is against as it should be.

import { renderEnd } from '#trace/packet.ts'
import type { Step } from '#trace/way.ts'
import type { Backend } from '#doctor/expect/endpoints.ts'
import type { Asker, Expected, Front } from '#doctor/expect/expect.ts'
import type { Observed, Sent } from '#doctor/compare/observe.ts'

type DifferenceKind =
  /** no rule for it */
  | 'missing'
  /** leads to somebody who is not, or no longer, an endpoint */
  | 'stale'
  | 'left-out'
  /** refused although there are endpoints */
  | 'refused'
  /** dropped although there are endpoints */
  | 'dropped'
  /** nobody is there, and the client does not hear it */
  | 'unrefused'
  /** is let in although the ranges leave it out */
  | 'let-in'
  | 'uneven'
  | 'source-lost'
  | 'source-kept'

export type Difference = {
  readonly kind: DifferenceKind
  readonly front: Front
  readonly node: string
  readonly asker: Asker
  /** of the new connections */
  readonly share: number
  /** endpoints, `IP:PORT` */
  readonly targets: readonly string[]
  readonly steps: readonly Step[]
  readonly missing: readonly string[]
}

/** Shares of random matches are not quite equal; affinity and hashes are not random at all. */
const tolerance = 0.02

export const endOf = ({ ip, port }: Backend): string => renderEnd(ip, port)

export function differences(
  expected: Expected,
  observed: Observed,
  about: Pick<Difference, 'front' | 'node' | 'asker'>,
  isPod: (ip: string) => boolean,
): Difference[] {
  const base = { ...about, missing: observed.missing }
  const ending = (kind: 'refused' | 'dropped' | 'unchanged') =>
    observed.endings.find((item) => item.kind === kind)?.steps ?? []
  const found: Difference[] = []
  const add = (kind: DifferenceKind, share: number, targets: readonly string[], steps: readonly Step[]) =>
    found.push({ ...base, kind, share, targets, steps })
  const wanted = new Map(
    expected.kind === 'balance' ? expected.to.map((backend) => [endOf(backend), backend] as const) : [],
  )
  if (expected.kind === 'shut-out') {
    const inside = [...observed.to].filter(([, { arrived }]) => arrived > tolerance)
    const share = inside.reduce((sum, [, { arrived }]) => sum + arrived, 0)
    return inside.length === 0
      ? []
      : [{ ...base, kind: 'let-in', share, targets: inside.map(([target]) => target), steps: inside[0]![1].steps }]
  }
  const strangers = [...observed.to].filter(
    ([target, sent]) => !wanted.has(target) && !(expected.kind === 'drop' && leadsAstray(target, sent, about.front)),
  )
  for (const [target, { share, steps }] of strangers) add('stale', share, [target], steps)
  if (expected.kind !== 'balance') {
    const silent = observed.unchanged + (expected.kind === 'refuse' ? observed.dropped : 0)
    if (silent > tolerance && strangers.length === 0)
      add('unrefused', silent, [], ending(observed.dropped > tolerance ? 'dropped' : 'unchanged'))
    return found
  }
  if (observed.unchanged > tolerance) add('missing', observed.unchanged, [], ending('unchanged'))
  if (observed.refused > tolerance) add('refused', observed.refused, [], ending('refused'))
  if (observed.dropped > tolerance) add('dropped', observed.dropped, [], ending('dropped'))
  if (observed.to.size === 0) return found
  const leftOut = [...wanted.keys()].filter((target) => !observed.to.has(target))
  if (leftOut.length > 0 && observed.unknown < tolerance)
    add('left-out', leftOut.length / wanted.size, leftOut, [...observed.to.values()][0]?.steps ?? [])
  const fair = 1 / wanted.size
  const uneven = [...observed.to].filter(
    ([target, { share }]) => wanted.has(target) && Math.abs(share - fair) > Math.max(tolerance, fair / 10),
  )
  if (found.length === 0 && uneven.length > 0)
    add(
      'uneven',
      Math.max(...uneven.map(([, { share }]) => share)),
      uneven.map(([target]) => target),
      uneven[0]![1].steps,
    )
  return [...found, ...sources(expected, observed, base, wanted, isPod)]
}

/**
 * Under IPVS kube-proxy leads to endpoints of other nodes where policy Local finds none (kubernetes#97081). Their answers
 * go past this node, so that clients outside take them no more than silence.
 */
const leadsAstray = (target: string, { masqueraded, steps }: Sent, { backends }: Front): boolean =>
  masqueraded <= tolerance &&
  steps.some(({ place }) => place.startsWith('IPVS')) &&
  backends.some((backend) => endOf(backend) === target)

/** Pods see who asks, or do not; addresses of nodes answer by the nodes' own ways. */
function sources(
  expected: Extract<Expected, { kind: 'balance' }>,
  observed: Observed,
  base: Pick<Difference, 'front' | 'node' | 'asker' | 'missing'>,
  wanted: ReadonlyMap<string, Backend>,
  isPod: (ip: string) => boolean,
): Difference[] {
  if (expected.keepsSource === undefined) return []
  const wrong = [...observed.to].filter(([target, { arrived, masqueraded }]) => {
    const backend = wanted.get(target)
    if (backend === undefined || !isPod(backend.ip)) return false
    return expected.keepsSource === true ? masqueraded > tolerance * arrived : masqueraded < (1 - tolerance) * arrived
  })
  if (wrong.length === 0) return []
  const share = wrong.reduce((sum, [, sent]) => sum + sent.share, 0)
  const kind = expected.keepsSource ? 'source-lost' : 'source-kept'
  return [{ ...base, kind, share, targets: wrong.map(([target]) => target), steps: wrong[0]![1].steps }]
}

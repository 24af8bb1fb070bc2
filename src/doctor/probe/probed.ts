// What became of a probe, held against what was expected of it.

import type { Prediction } from '#doctor/probe/predict.ts'
import type { Place, Probe } from '#doctor/probe/plan.ts'
import { renderEnd } from '#trace/packet.ts'

export type Tried = {
  /** `mute`: open, or on its way, and nobody says anything */
  readonly kind: 'works' | 'refused' | 'silent' | 'mute'
  readonly text: string
  readonly ms: number
  /** of a name */
  readonly addresses?: readonly string[]
}

/** A probe, what was expected of it, and each try. */
export type Probed = { readonly probe: Probe; readonly prediction: Prediction; readonly tries: readonly Tried[] }

/** So much of the shares is rounding. */
export const tolerance = 0.01

/** A datagram that nobody answers says nothing: only programs know whether they would. */
const isFailure = ({ probe }: Probed, { kind }: Tried): boolean =>
  kind === 'refused' ||
  kind === 'silent' ||
  (kind === 'mute' && (probe.kind === 'question' || (probe.kind === 'connection' && probe.protocol === 'tcp')))
export const failuresOf = (item: Probed) => item.tries.filter((tried) => isFailure(item, tried))
export const hasFailed = (item: Probed) => failuresOf(item).length > 0

/** Whether it is worth another round: machines are slow at times, and pods come and go. */
export const isSurprise = (item: Probed): boolean => failsOddly(item) || worksOddly(item) || isNamedWrong(item)

export const failsOddly = (item: Probed): boolean => hasFailed(item) && item.prediction.fails < tolerance
export const worksOddly = (item: Probed): boolean =>
  item.prediction.fails > 1 - tolerance && item.tries.some(({ kind }) => kind === 'works')
export const isNamedWrong = ({ probe, tries }: Probed): boolean =>
  probe.kind === 'name' && tries.some(({ addresses }) => addresses !== undefined && !isSame(addresses, probe.wanted))
const isSame = (a: readonly string[], b: readonly string[]) => a.toSorted().join() === b.toSorted().join()

const targetOf = (probe: Probe): string =>
  probe.kind === 'name' ? `the name ${probe.name}` : `${renderEnd(probe.ip, probe.port)}/${probe.protocol}`

/** `probe from pod/web-0 to 10.96.0.1:80/tcp: ETIMEDOUT (3 of 3)` */
export function renderProbed(item: Probed): string {
  const { probe, tries } = item
  const counts = [...Map.groupBy(tries, ({ text }) => text)].map(
    ([text, list]) => `${text} (${list.length} of ${tries.length})`,
  )
  return `probe from ${shortPlace(probe.from)} to ${targetOf(probe)}: ${counts.join(', ')}`
}

export const shortPlace = (place: Place) => place.replace('pod/default/', 'pod/')

// When a row of probe results becomes a verdict: thresholds, and what an early result means. Pure; the prober asks here.

import type { Probe } from '#api/core.ts'
import type { ProbeKind } from '#node/pod/fault.ts'

export type Outcome = 'success' | 'failure'

/** How often in a row the last outcome came. */
export type Run = { readonly outcome: Outcome; readonly length: number }

export const extendRun = (run: Run | undefined, outcome: Outcome): Run =>
  run?.outcome === outcome ? { outcome, length: run.length + 1 } : { outcome, length: 1 }

/** The verdict that a run amounts to; undefined while it is below its threshold, where the one before stays. */
export function verdictOf(probe: Probe, { outcome, length }: Run): Outcome | undefined {
  const threshold = outcome === 'success' ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3)
  return length >= threshold ? outcome : undefined
}

/** After such a verdict the probe rests until there is a new container. */
export const endsProbing = (kind: ProbeKind, verdict: Outcome): boolean =>
  kind === 'startup' || (kind === 'liveness' && verdict === 'failure')

const periodMs = (probe: Probe) => 1000 * (probe.periodSeconds ?? 10)
const firstPauseMs = 25

/**
 * How long to wait before the next probe. Until its first success, a container that has just started is asked soon and
 * ever less often within its first period, so that it counts as ready when it is; such early failures do not count.
 */
export function pauseBeforeNext(
  probe: Probe,
  kind: ProbeKind,
  o: { readonly everSucceeded: boolean; readonly tries: number; readonly sinceDueMs: number },
): number {
  const period = periodMs(probe)
  const early = firstPauseMs * 2 ** o.tries
  return isEarly(probe, kind, o) ? Math.min(early, period - o.sinceDueMs) : period
}

/** Before the first probe after the initial delay: liveness is not judged before a period is over, as with kubelet. */
export const firstPause = (probe: Probe, kind: ProbeKind): number =>
  1000 * (probe.initialDelaySeconds ?? 0) + (kind === 'liveness' ? periodMs(probe) : 0)

/** `sinceDueMs`: since the first probe was due, by the container's start and the initial delay. */
export const isEarly = (
  probe: Probe,
  kind: ProbeKind,
  { everSucceeded, sinceDueMs }: { readonly everSucceeded: boolean; readonly sinceDueMs: number },
): boolean => kind !== 'liveness' && !everSucceeded && sinceDueMs < periodMs(probe)

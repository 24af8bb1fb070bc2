import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import type { Registry } from '#daemon/metrics.ts'

/** What the process gives to each part that it runs: `run(options, context)` in the part's main.ts. */
export type PartContext = {
  /** aborted when the part shall end; `run` then resolves once everything of it has ended */
  readonly signal: AbortSignal
  readonly log: Logger
  readonly clock: Clock
  readonly registry: Registry
}

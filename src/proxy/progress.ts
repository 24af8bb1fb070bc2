// From the moment that a change is known to the moment that it is in the kernel: what health and metrics say about it.
import type { Clock } from '#daemon/clock.ts'
import type { HealthState } from '#proxy/health/health-state.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import type { Family } from '#proxy/state.ts'

export interface Progress {
  /** `changedAt`: when the pods changed that made it necessary, in milliseconds since 1970 */
  queued(key: string, changedAt?: number): void
  /** These Services' rules, and all that was queued before them, are written. */
  written(keys: readonly string[]): void
  /** rules have been written once */
  readonly isWritten: boolean
}

export function createProgress(
  families: readonly Family[],
  state: HealthState,
  metrics: ProxyMetrics,
  clock: Clock,
): Progress {
  const startedAt = clock.now()
  const changes = new Map<string, number[]>()
  let isWritten = false
  for (const family of families) state.updated(family, startedAt)
  return {
    queued(key, changedAt) {
      for (const family of families) {
        state.queued(family, clock.now())
        metrics.lastQueued.set(clock.now() / 1000, `IPv${family}`)
      }
      // What changed before this process began says nothing about how fast it is.
      if (changedAt === undefined || changedAt < startedAt) return
      const known = changes.get(key)
      if (known === undefined) changes.set(key, [changedAt])
      else known.push(changedAt)
    },
    written(keys) {
      isWritten = true
      const nowMs = clock.now()
      for (const family of families) metrics.lastSync.set(nowMs / 1000, `IPv${family}`)
      for (const key of keys) {
        for (const at of changes.get(key) ?? [])
          for (const family of families) metrics.programming.observe((nowMs - at) / 1000, `IPv${family}`)
        changes.delete(key)
      }
    },
    get isWritten() {
      return isWritten
    },
  }
}

// From the moment that a change is known to the moment that it is in the kernel: what health and metrics say about it.
import type { Clock } from '#daemon/clock.ts'
import type { HealthState } from '#proxy/health/health-state.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import type { Family } from '#proxy/state.ts'

/** What changed about a Service: its own object, or its endpoints. */
export type ChangeKind = 'service' | 'endpoints'

export interface Progress {
  /**
   * `kind`: undefined where what changed is not about a Service; `changedAt`: when the pods changed that made it
   * necessary, in milliseconds since 1970
   */
  queued(key: string, kind?: ChangeKind, changedAt?: number): void
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
  const seen = { service: metrics.serviceChanges, endpoints: metrics.endpointChanges } as const
  const shown = { service: metrics.serviceChangesPending, endpoints: metrics.endpointChangesPending } as const
  const pending = { service: new Map<string, number>(), endpoints: new Map<string, number>() } as const
  let isWritten = false
  /** when a change was queued last */
  let queuedAt: number | undefined
  for (const family of families) state.updated(family, startedAt)
  return {
    queued(key, kind, changedAt) {
      if (kind !== undefined) {
        seen[kind].add(1)
        pending[kind].set(key, (pending[kind].get(key) ?? 0) + 1)
        shown[kind].add(1)
      }
      const nowMs = clock.now()
      for (const family of families) state.queued(family, nowMs)
      // A start is tens of thousands of changes.
      if (nowMs !== queuedAt) for (const family of families) metrics.lastQueued.set(nowMs / 1000, `IPv${family}`)
      queuedAt = nowMs
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
        for (const kind of ['service', 'endpoints'] as const) {
          shown[kind].add(-(pending[kind].get(key) ?? 0))
          pending[kind].delete(key)
        }
      }
    },
    get isWritten() {
      return isWritten
    },
  }
}

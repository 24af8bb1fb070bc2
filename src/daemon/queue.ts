// A work queue of keys, for controllers: each key is handled by one worker at a time, a key marked again while it is
// handled is handled once more, and a key that fails comes back after a pause of its own.

import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import type { Registry } from '#daemon/metrics.ts'

export interface Queue {
  /** Puts the key in line, now or after some time. The earliest of several marks counts. */
  mark(key: string, afterMs?: number): void
  /** Handles keys until the signal is aborted, then resolves when the last handler has ended. */
  run(signal: AbortSignal): Promise<void>
  /** keys in line, the delayed ones left out */
  readonly size: number
}

export type QueueOptions = {
  /** for the log and the metrics */
  readonly name: string
  readonly clock: Clock
  readonly log: Logger
  /** how many keys at a time; default 1 */
  readonly workers?: number
  handle(key: string, signal: AbortSignal): Promise<void>
  /** pause of a key after its failure: the first, doubled each time, up to the most; default 5 ms and 60 s */
  readonly backoffMs?: { readonly first: number; readonly most: number }
  readonly registry?: Registry
}

export function createQueue(options: QueueOptions): Queue {
  const { clock, log, name, workers = 1 } = options
  const { first, most } = options.backoffMs ?? { first: 5, most: 60_000 }
  const metrics = options.registry && queueMetrics(options.registry, name)
  const ready = new Set<string>()
  const busy = new Set<string>()
  const failures = new Map<string, number>()
  const delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>()
  let wake = () => {}

  const put = (key: string) => {
    if (ready.has(key)) return
    ready.add(key)
    metrics?.added(ready.size)
    wake()
  }
  const putLater = (key: string, afterMs: number) => {
    const at = clock.monotonicMs() + afterMs
    const known = delayed.get(key)
    if (known !== undefined && known.at <= at) return
    known?.cancel()
    const cancel = clock.after(afterMs, () => {
      delayed.delete(key)
      put(key)
    })
    delayed.set(key, { at, cancel })
  }
  const handle = async (key: string, signal: AbortSignal) => {
    const startedMs = clock.monotonicMs()
    try {
      await options.handle(key, signal)
      failures.delete(key)
    } catch (error) {
      const count = failures.get(key) ?? 0
      failures.set(key, count + 1)
      metrics?.retried()
      // A conflict on a write is the ordinary way of two writers meeting; the next try reads the new state.
      const severity = count === 0 ? 'debug' : 'error'
      if (!signal.aborted) log[severity](`${name}: will try again`, { key, err: messageOf(error) })
      putLater(key, Math.min(first * 2 ** count, most))
    }
    metrics?.handled((clock.monotonicMs() - startedMs) / 1000)
  }
  const nextKey = () => {
    for (const key of ready) if (!busy.has(key)) return key
    return undefined
  }

  return {
    mark(key, afterMs = 0) {
      if (afterMs > 0) putLater(key, afterMs)
      else put(key)
    },
    get size() {
      return ready.size
    },
    run(signal) {
      return new Promise((resolve) => {
        const step = () => {
          if (signal.aborted) {
            for (const { cancel } of delayed.values()) cancel()
            delayed.clear()
            wake = () => {}
            if (busy.size === 0) resolve()
            return
          }
          for (let key = nextKey(); key !== undefined && busy.size < workers; key = nextKey()) {
            const current = key
            ready.delete(current)
            busy.add(current)
            metrics?.depth(ready.size)
            void handle(current, signal).then(() => {
              busy.delete(current)
              step()
            })
          }
        }
        // Keys marked in one go are all in line before the first is handled.
        let woken = false
        wake = () => {
          if (woken) return
          woken = true
          queueMicrotask(() => {
            woken = false
            step()
          })
        }
        signal.addEventListener('abort', step, { once: true })
        step()
      })
    },
  }
}

/** The workqueue_* metrics of Kubernetes' controllers. */
function queueMetrics(registry: Registry, name: string) {
  const depth = registry.gauge('workqueue_depth', 'Keys in line.', ['name'])
  const adds = registry.counter('workqueue_adds_total', 'Keys put in line.', ['name'])
  const retries = registry.counter('workqueue_retries_total', 'Keys put in line again after a failure.', ['name'])
  const seconds = registry.histogram(
    'workqueue_work_duration_seconds',
    'How long handling a key took.',
    [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10],
    ['name'],
  )
  return {
    added(size: number) {
      adds.add(1, name)
      depth.set(size, name)
    },
    depth: (size: number) => depth.set(size, name),
    retried: () => retries.add(1, name),
    handled: (duration: number) => seconds.observe(duration, name),
  }
}

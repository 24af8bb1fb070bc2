// The heart of a part: one loop that acts on what was marked. Events never act, they mark a key; marks that come while
// it acts are taken together in the next round. Whatever fails is logged, and tried again after a pause. This and the
// queue are the only places that catch everything.

import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'

export interface Loop {
  mark(key: string): void
  /** Acts until the signal is aborted, then resolves when the last act has ended. */
  run(signal: AbortSignal): Promise<void>
}

export type LoopOptions = {
  /** for the log */
  readonly name: string
  readonly clock: Clock
  readonly log: Logger
  /** Takes everything marked since its last call. When it throws, all these keys stay marked. */
  act(keys: ReadonlySet<string>, signal: AbortSignal): Promise<void>
  /** every so often `onResync` names keys to mark */
  readonly resyncMs?: number
  onResync?(): Iterable<string>
  /** pause after a failure: the first, doubled each time, up to the most; default 100 ms and 30 s */
  readonly backoffMs?: { readonly first: number; readonly most: number }
}

export function createLoop(options: LoopOptions): Loop {
  const { clock, log, name } = options
  const { first, most } = options.backoffMs ?? { first: 100, most: 30_000 }
  let marked = new Set<string>()
  let marks = 0
  let wake = () => {}
  const mark = (key: string) => {
    marks++
    marked.add(key)
    wake()
  }

  const waitForMark = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const end = () => {
        signal.removeEventListener('abort', end)
        resolve()
      }
      wake = end
      signal.addEventListener('abort', end, { once: true })
      if (marked.size > 0 || signal.aborted) end()
    })

  /** After a failure: the whole pause, but only its shortest form once something new was marked. */
  const pause = async (ms: number, signal: AbortSignal) => {
    const before = marks
    await clock.sleep(Math.min(ms, first), signal)
    if (ms <= first || marks > before) return
    const early = new AbortController()
    wake = () => early.abort()
    await clock.sleep(ms - first, AbortSignal.any([signal, early.signal]))
  }

  const round = async (signal: AbortSignal): Promise<boolean> => {
    const keys = marked
    marked = new Set()
    try {
      await options.act(keys, signal)
      return true
    } catch (error) {
      for (const key of keys) marked.add(key)
      if (!signal.aborted) log.error(`${name}: will try again`, { err: messageOf(error) })
      return false
    }
  }

  return {
    mark,
    async run(signal) {
      const stopResync = every(clock, options.resyncMs, () => {
        for (const key of options.onResync?.() ?? []) mark(key)
      })
      let pauseMs = first
      while (!signal.aborted) {
        await waitForMark(signal)
        wake = () => {}
        if (signal.aborted) break
        if (await round(signal)) {
          pauseMs = first
          continue
        }
        await pause(pauseMs, signal)
        pauseMs = Math.min(pauseMs * 2, most)
      }
      stopResync()
    },
  }
}

function every(clock: Clock, ms: number | undefined, act: () => void): () => void {
  if (ms === undefined) return () => {}
  let cancel = clock.after(ms, tick)
  function tick() {
    cancel = clock.after(ms!, tick)
    act()
  }
  return () => cancel()
}

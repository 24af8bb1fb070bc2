// effect: time
// The one clock. Whatever waits or tells the time takes a Clock, so that tests run without waiting.

export interface Clock {
  /** milliseconds since 1970; with a fraction */
  now(): number
  /** milliseconds since some moment; never goes back */
  monotonicMs(): number
  /** Resolves after that time, or as soon as the signal is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `act` after that time; the answer cancels it. A pending call does not keep the process alive. */
  after(ms: number, act: () => void): () => void
}

/** setTimeout takes no more than 2^31 - 1 and fires at once beyond it. */
const longestMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal, true),
  after: (ms, act) => wait(ms, act, false),
}

function wait(ms: number, act: () => void, keepsAlive: boolean): () => void {
  const timer = setTimeout(act, Math.min(Math.max(ms, 0), longestMs))
  if (!keepsAlive) timer.unref()
  return () => clearTimeout(timer)
}

function sleepOn(clock: Clock, ms: number, signal: AbortSignal | undefined, real: boolean): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const cancel = real ? wait(ms, end, true) : clock.after(ms, end)
    signal?.addEventListener('abort', end, { once: true })
  })
}

export interface FakeClock extends Clock {
  /**
   * Moves time on and runs what is due, in the order of its time. Between two of them promises get to run, so that
   * what they start to wait for within the time counts too.
   */
  advance(ms: number): Promise<void>
  /** how many calls are waiting */
  readonly waiting: number
}

/** A clock that stands still until told otherwise, at `start` milliseconds since 1970. */
export function fakeClock(start = 0): FakeClock {
  const pending = new Set<{ readonly at: number; readonly act: () => void }>()
  let now = start
  const clock: FakeClock = {
    now: () => now,
    monotonicMs: () => now,
    sleep: (ms, signal) => sleepOn(clock, ms, signal, false),
    after(ms, act) {
      const call = { at: now + Math.max(ms, 0), act }
      pending.add(call)
      return () => pending.delete(call)
    },
    async advance(ms) {
      const end = now + ms
      for (;;) {
        await settled()
        const due = [...pending].filter((call) => call.at <= end)
        if (due.length === 0) break
        const next = due.reduce((first, call) => (call.at < first.at ? call : first))
        pending.delete(next)
        now = Math.max(now, next.at)
        next.act()
      }
      now = end
    },
    get waiting() {
      return pending.size
    },
  }
  return clock
}

/** Waits until all promises that can run now have run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

// effect: time
import { setTimeout as sleep } from 'node:timers/promises'

/** What it answers once nothing is thrown; waits up to 30 s for that, and throws what was thrown last. */
export async function until<T>(holds: () => T | Promise<T>): Promise<T> {
  const end = performance.now() + 30_000
  // Often at first; a look may start a program.
  for (let pauseMs = 10; ; pauseMs = Math.min(2 * pauseMs, 100)) {
    try {
      return await holds()
    } catch (error) {
      if (performance.now() > end) throw error
    }
    await sleep(pauseMs)
  }
}

/** What is seen once it is something (not undefined, false, 0 or ''); waits as `until` does. */
export const untilSeen = <T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> =>
  until(async () => {
    const seen = await look()
    if (!seen) throw new Error(`did not happen within 30 s: ${look}`)
    return seen
  })

// effect: time
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until nothing is thrown, up to 30 s. */
export async function until(holds: () => unknown): Promise<void> {
  for (const end = performance.now() + 30_000; ; await sleep(20))
    try {
      await holds()
      return
    } catch (error) {
      if (performance.now() > end) throw error
    }
}

// When history is forgotten: what is older than some minutes, looked at now and then, as kube-apiserver does with etcd.

import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import type { Store } from '#apiserver/store/store.ts'

const everyMs = 5 * 60_000

/** Compacts to where the store was one round ago. The answer stops it. */
export function compactRegularly(store: Store, clock: Clock, log: Logger): () => void {
  let before: number | undefined
  let cancel = () => {}
  const round = async () => {
    try {
      if (before !== undefined) await store.compact(before)
      before = await store.revision()
    } catch (error) {
      log.warn('could not compact the store', { error: String(error) })
    }
    later()
  }
  const later = () => {
    cancel = clock.after(everyMs, () => void round())
  }
  void round()
  return () => cancel()
}

// effect: files of certificates and a kubeconfig
// A node that has joined stays one: its certificate is renewed before it ends, while the node runs. Whoever reads the
// kubeconfig takes the new one from there (`renew` of a client's configuration).
import { loadKubeconfig } from '#client/kubeconfig.ts'
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { leastLife, lifeOf } from '#node/join/life.ts'
import { requestClient, saveIdentity } from '#node/join/join.ts'

const retryMs = 60_000
/** However short the life of certificates: the cluster is not asked more often. */
const pauseMs = 10_000

/** Until the signal. */
export async function keepClientCertificate(
  kubeconfig: string,
  nodeName: string,
  { signal, log, clock }: { readonly signal: AbortSignal; readonly log: Logger; readonly clock: Clock },
): Promise<void> {
  while (!signal.aborted) {
    const config = loadKubeconfig(kubeconfig)
    const life = lifeOf(config.cert ?? '')
    const waitMs = life.endMs - leastLife * life.lengthMs - clock.now()
    if (waitMs > 0) {
      await clock.sleep(waitMs, signal)
      continue
    }
    try {
      const pair = await requestClient(config, nodeName, { signal, log })
      saveIdentity(kubeconfig, { server: config.server, ca: config.ca ?? '', nodeName, ...pair })
      log.info('The cluster renewed the certificate of this node')
      await clock.sleep(pauseMs, signal)
    } catch (error) {
      if (signal.aborted) return
      const left = Math.round((life.endMs - clock.now()) / 1000)
      log.warn('The certificate of this node could not be renewed yet', { secondsLeft: left, err: messageOf(error) })
      await clock.sleep(retryMs, signal)
    }
  }
}

// effect: starts a cluster
import { boot, untilReporting, untilServing, whileAlive } from '#lab/boot.ts'
import { routeExternalAddresses } from '#lab/fabric.ts'
import { withinMs } from '#lab/inhabitants.ts'
import { type ClusterPlan, expectedOf } from '#lab/plan.ts'
import type { Progress } from '#lab/progress.ts'
import type { Observed } from '#lab/readiness.ts'
import { createNodes } from '#lab/node-objects.ts'
import { allReady, watchCluster } from '#lab/watch-cluster.ts'

/** Brings back a cluster as it was. `waitMs`: how long everything may take to become ready; 0: do not wait. */
export async function start(
  plan: ClusterPlan,
  waitMs: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Observed> {
  const started = await boot(plan, progress)
  const client = await untilServing(plan, started, progress, signal)
  const ready = async () => {
    await createNodes(client, plan, { isNew: false }, signal)
    if (waitMs > 0) await progress.step('nodes ready', () => withinMs(waitMs, untilReporting(plan, started)))
    using watch = watchCluster(client, signal)
    await watch.synced
    routeExternalAddresses(plan, watch.observe().services)
    if (waitMs > 0) await progress.step('everything ready', () => watch.until(allReady(expectedOf(plan)), waitMs))
    return watch.observe()
  }
  return whileAlive(started, ready, signal)
}

// effect: makes a cluster
// Boots a cluster and puts objects into it.
import type { Service } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import type { Client } from '#client/client.ts'
import { applyAll, locate } from '#lab/apply.ts'
import { boot, untilReporting, untilServing, whileAlive } from '#lab/boot.ts'
import { UserError } from '#daemon/error.ts'
import { dnsManifests } from '#lab/dns-manifest.ts'
import { down } from '#lab/down.ts'
import { routeExternalAddresses } from '#lab/fabric.ts'
import { ingressManifests } from '#lab/ingress-manifest.ts'
import { withinMs } from '#lab/inhabitants.ts'
import { createNodes } from '#lab/node-objects.ts'
import { type Manifest, makesPods } from '#lab/manifest.ts'
import { type ClusterPlan, expectedOf, nodesWithAgent } from '#lab/plan.ts'
import type { Progress } from '#lab/progress.ts'
import { storageManifests } from '#lab/storage-manifest.ts'
import { planTrials, prove, type Proven } from '#lab/proof.ts'
import type { Observed } from '#lab/readiness.ts'
import { allReady, nodesReady, watchCluster } from '#lab/watch-cluster.ts'

export type UpOptions = {
  readonly manifests: readonly Manifest[]
  /** How long everything may take to become ready; 0: do not wait. */
  readonly waitMs: number
  /** There was no such cluster before, so that a failure takes it away again. */
  readonly isNew: boolean
}

export type UpResult = {
  readonly observed: Observed
  /** The Services of the manifests. */
  readonly services: readonly Service[]
  readonly proven: readonly Proven[]
}

/** Where it fails, or the signal is aborted, a new cluster is removed again; one that was there stays. */
export async function up(
  plan: ClusterPlan,
  options: UpOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpResult> {
  let isApplied = false
  try {
    const started = await boot(plan, progress)
    const client = await untilServing(plan, started, progress, signal)
    if (!options.isNew) {
      await createNodes(client, plan, options, signal)
      // The API server knows what was true before.
      await whileAlive(started, () => withinMs(nodesLimitMs, untilReporting(plan, started)), signal)
    }
    const furnished = () => furnish(plan, client, options, progress, signal, () => (isApplied = true))
    return await whileAlive(started, furnished, signal)
  } catch (error) {
    // What was only slow to become ready is left to be looked at.
    if (options.isNew && (signal.aborted || !isApplied)) await down(plan.options.name, progress)
    throw error
  }
}

async function furnish(
  plan: ClusterPlan,
  client: Client,
  { manifests, waitMs, isNew }: UpOptions,
  progress: Progress,
  signal: AbortSignal,
  onApplied: () => void,
): Promise<UpResult> {
  using watch = watchCluster(client, signal)
  const ownManifests = [
    ...storageManifests,
    ...dnsManifests(plan.options),
    ...(plan.options.ingress ? ingressManifests : []),
  ]
  const [located] = await progress.step('kinds found', () =>
    Promise.all([
      locate(client, [...ownManifests, ...manifests], signal),
      ...(isNew ? [createNodes(client, plan, { isNew }, signal)] : []),
    ]),
  )
  const [own, targets] = [located.slice(0, ownManifests.length), located.slice(ownManifests.length)]
  // In a cluster that stays whatever happens, nothing is applied unless all of it can be.
  if (!isNew) await applyAll(client, targets, { dryRun: true, signal })
  const apply = (ofPods: boolean) =>
    applyAll(
      client,
      [...own, ...targets].filter(({ object }) => makesPods(object) === ofPods),
      { dryRun: false, signal },
    )
  const written = await progress.step(`${own.length + targets.length} objects applied`, async () => {
    const first = await apply(false)
    // Pods spread over the nodes that are ready: over all of them, then.
    await progress.step('nodes ready', () =>
      watch.until(nodesReady(nodesWithAgent(plan)), nodesLimitMs).catch(ignoreLate),
    )
    return [...first, ...(await apply(true))]
  })
  onApplied()
  await watch.synced
  const mine = new Set(
    targets
      .filter(({ resource }) => resource.kind === 'Service')
      .map(({ object, namespace }) => `${namespace}/${object.metadata?.name}`),
  )
  routeExternalAddresses(plan, [...watch.observe().services, ...written.filter(({ kind }) => kind === 'Service')])
  if (waitMs > 0)
    await progress.step('everything ready', () => watch.until(allReady(expectedOf(plan), written), waitMs))
  const observed = watch.observe()
  const services = observed.services.filter((service) => mine.has(keyOf(service)))
  const trials = waitMs === 0 ? [] : services.flatMap((service) => planTrials(plan, service, observed))
  const proven =
    trials.length === 0 ? [] : await progress.step('Services tried', () => prove(plan, trials, observed, signal))
  return { observed, services, proven }
}

/** A node that does not become ready is told of later, with everything else that is not. */
const nodesLimitMs = 10_000
function ignoreLate(error: unknown): void {
  if (!(error instanceof UserError && error.code === 'NotReady')) throw error
}

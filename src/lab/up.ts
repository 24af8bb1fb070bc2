// effect: makes a cluster
// Boots a cluster and puts objects into it. Everything that can overlap does: the control plane starts before the nodes'
// namespaces exist, the nodes start before the API server answers, objects are applied before the nodes are ready.
import { type Client, connect, isAlreadyExists } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { ConnectionError } from '#client/transport.ts'
import { systemClock } from '#daemon/clock.ts'
import { nodes, type Service } from '#api/core.ts'
import { UserError } from '#daemon/error.ts'
import { applyAll, locate } from '#lab/apply.ts'
import { saveCluster } from '#lab/cluster-file.ts'
import { writeControlPlaneCredentials, writeOtherCredentials } from '#lab/credentials.ts'
import { dnsManifests } from '#lab/dns-manifest.ts'
import { down } from '#lab/down.ts'
import { fabricExists, makeFabric, routeExternalAddress } from '#lab/fabric.ts'
import type { Manifest } from '#lab/manifest.ts'
import { type ClusterPlan, type Host, nodesOf } from '#lab/plan.ts'
import { planProcesses, type ProcessPlan } from '#lab/process-plan.ts'
import { endProcesses, runningProcesses, type Started, startProcess } from '#lab/processes.ts'
import type { Progress } from '#lab/progress.ts'
import { planTrials, prove, type Proven } from '#lab/proof.ts'
import { keyOf, type Observed } from '#lab/readiness.ts'
import { allReady, watchCluster } from '#lab/watch-cluster.ts'

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
    const started = await start(plan, progress)
    const controlPlane = started.get('control-plane')
    const client = connect(loadKubeconfig(plan.paths.kubeconfig))
    const serving = () => progress.step('API server', () => controlPlane?.ready ?? untilServing(client, signal))
    await whileAlive(new Map(controlPlane && [['control-plane', controlPlane]]), serving, signal)
    const furnished = () => furnish(plan, client, options, progress, signal, () => (isApplied = true))
    return await whileAlive(started, furnished, signal)
  } catch (error) {
    // What was only slow to become ready is left to be looked at.
    if (options.isNew && (signal.aborted || !isApplied)) await down(plan, progress)
    throw error
  }
}

/** Starts what does not run; answers every process that was started. */
async function start(plan: ClusterPlan, progress: Progress): Promise<ReadonlyMap<string, Started>> {
  const started = new Map<string, Started>()
  const processes = planProcesses(plan)
  const begin = (process: ProcessPlan) => void started.set(process.name, startProcess(plan, process))
  saveCluster(plan)
  await progress.step('certificates', () => writeControlPlaneCredentials(plan))
  if (!fabricExists(plan)) {
    // Without its network nothing of an earlier boot can go on.
    await endProcesses(plan, 0)
    await progress.step('network', () =>
      makeFabric(plan, {
        onHost: (host) => {
          const process = processes.find(({ name }) => name === host.name)
          if (process) begin(process)
          if (host.role === 'control-plane') writeOtherCredentials(plan)
        },
      }),
    )
  } else {
    writeOtherCredentials(plan)
    const running = runningProcesses(plan)
    for (const process of processes) if (!running.has(process.name)) begin(process)
  }
  return started
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
  await createNodes(client, nodesOf(plan), signal)
  const targets = await locate(client, manifests, signal)
  const own = await locate(client, dnsManifests(plan.options), signal)
  await progress.step('DNS applied', () => applyAll(client, own, { dryRun: false, signal }))
  if (targets.length > 0) {
    // In a cluster that stays whatever happens, nothing is applied unless all of it can be.
    if (!isNew) await applyAll(client, targets, { dryRun: true, signal })
    await progress.step(`${targets.length} objects applied`, () => applyAll(client, targets, { dryRun: false, signal }))
  }
  onApplied()
  await watch.synced
  const mine = new Set(
    targets
      .filter(({ resource }) => resource.kind === 'Service')
      .map(({ object, namespace }) => `${namespace}/${object.metadata?.name}`),
  )
  for (const service of watch.observe().services)
    for (const ip of mine.has(keyOf(service)) ? (service.spec?.externalIPs ?? []) : [])
      routeExternalAddress(plan, ip, nodesOf(plan)[0]!)
  if (waitMs > 0)
    await progress.step('everything ready', () => watch.until(allReady(nodesOf(plan).map(({ name }) => name)), waitMs))
  const observed = watch.observe()
  const services = observed.services.filter((service) => mine.has(keyOf(service)))
  const trials = waitMs === 0 ? [] : services.flatMap((service) => planTrials(plan, service, observed))
  const proven =
    trials.length === 0 ? [] : await progress.step('Services tried', () => prove(plan, trials, observed, signal))
  return { observed, services, proven }
}

/** Of a control plane that somebody else has started nobody tells when it serves. */
async function untilServing(client: Client, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(serverLimitMs)])
  for (;;) {
    try {
      const { status, body } = await client.raw('GET', '/readyz', { signal: limit })
      body.destroy()
      if (status === 200) return
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
    }
    await systemClock.sleep(20, limit)
    if (limit.aborted)
      throw new UserError(`the API server does not answer at ${client.server}`, {
        code: 'NoServer',
        remedy: 'fairway logs control-plane says why',
      })
  }
}
const serverLimitMs = 20_000

/**
 * Nodes register themselves, in the order in which they happen to start. Being created in their own order before, they get
 * their pod CIDRs in it: node-1 the first.
 */
async function createNodes(client: Client, hosts: readonly Host[], signal: AbortSignal): Promise<void> {
  for (const { name } of hosts)
    await client.create(nodes, { metadata: { name } }, { signal }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error
    })
}

/** Runs `act`, but ends with an error as soon as a process that was started ends, or the signal is aborted. */
async function whileAlive<T>(
  started: ReadonlyMap<string, Started>,
  act: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  for (const process of started.values()) process.ready.catch(reject)
  const stop = () => reject(new UserError('stopped', { code: 'Stopped', exitCode: 130 }))
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([act(), promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

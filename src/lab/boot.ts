// effect: starts what a cluster consists of
// Makes a plan true: whatever of its namespaces and processes is missing is made, whatever is too much is taken away. The
// same for a new cluster, one that was stopped, one after a reboot, and one of which something was killed. Everything
// that can overlap does: the control plane starts before the nodes' namespaces exist, the nodes before it answers.
import { type Client, connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { ConnectionError } from '#client/transport.ts'
import { systemClock } from '#daemon/clock.ts'
import { UserError } from '#daemon/error.ts'
import { saveCluster } from '#lab/cluster-file.ts'
import { writeControlPlaneCredentials, writeOtherCredentials } from '#lab/credentials.ts'
import { addHost, isRunning, hostExists, makeFabric } from '#lab/fabric.ts'
import { type ClusterPlan, nodesOf, nodesWithAgent } from '#lab/plan.ts'
import { planProcesses, type ProcessPlan } from '#lab/process-plan.ts'
import { adoptProcess, endProcess, endProcesses, runningProcesses, type Started, startProcess } from '#lab/processes.ts'
import type { Progress } from '#lab/progress.ts'
import { checkReach } from '#lab/reach.ts'

/** What runs, by name: what was started, and what ran already. */
export type StartedProcesses = ReadonlyMap<string, Started>

/** Ends when everything was started; who waits for it to serve uses `whileAlive`. */
export async function boot(plan: ClusterPlan, progress: Progress): Promise<StartedProcesses> {
  saveCluster(plan)
  await progress.step('certificates', () => writeControlPlaneCredentials(plan))
  return isRunning(plan) ? mend(plan) : bootAnew(plan, progress)
}

async function bootAnew(plan: ClusterPlan, progress: Progress): Promise<StartedProcesses> {
  // Without its network nothing of an earlier boot can go on.
  await endProcesses(plan.paths, 0)
  const started = new Map<string, Started>()
  const processes = planProcesses(plan)
  await progress.step('network', () =>
    makeFabric(plan, {
      onHost: (host) => {
        const process = processes.find(({ name }) => name === host.name)
        if (process) started.set(process.name, startProcess(plan, process))
        if (host.role === 'control-plane') writeOtherCredentials(plan)
      },
    }),
  )
  return started
}

async function mend(plan: ClusterPlan): Promise<StartedProcesses> {
  writeOtherCredentials(plan)
  const processes = planProcesses(plan)
  const running = runningProcesses(plan.paths)
  const asPlanned = ({ name, words }: ProcessPlan) => {
    const found = running.get(name)
    return found?.words.join('\n') === words.join('\n') ? found : undefined
  }
  const wanted = new Set(processes.filter(asPlanned).map(({ name }) => name))
  for (const name of running.keys()) if (!wanted.has(name)) await endProcess(plan.paths, name, graceMs)
  for (const node of nodesOf(plan)) if (!hostExists(node)) addHost(plan, node)
  return new Map(
    processes.map((process) => {
      const found = asPlanned(process)
      return [process.name, found ? adoptProcess(plan, process, found) : startProcess(plan, process)]
    }),
  )
}
const graceMs = 5000

/** A client of the API server once that answers; throws a UserError where it ended, or cannot be reached. */
export async function untilServing(
  plan: ClusterPlan,
  started: StartedProcesses,
  progress: Progress,
  signal: AbortSignal,
): Promise<Client> {
  const client = connect(loadKubeconfig(plan.paths.kubeconfig))
  const controlPlane = started.get('control-plane')
  const serving = () =>
    progress.step('API server', () =>
      controlPlane?.isNew ? controlPlane.ready : askUntilServing(plan, client, signal),
    )
  await whileAlive(new Map(controlPlane && [['control-plane', controlPlane]]), serving, signal)
  await checkReach(plan)
  return client
}

/** Of a control plane that somebody else has started nobody tells when it serves. */
async function askUntilServing(plan: ClusterPlan, client: Client, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(serverLimitMs)])
  for (;;) {
    try {
      const { status, body } = await client.raw('GET', '/readyz', { signal: limit })
      body.destroy()
      if (status === 200) return
    } catch (error) {
      if (!(error instanceof ConnectionError) && !limit.aborted) throw error
    }
    await systemClock.sleep(20, limit)
    if (!limit.aborted) continue
    await checkReach(plan)
    throw new UserError(`the API server does not answer at ${client.server}`, {
      code: 'NoServer',
      remedy: 'fairway logs control-plane says why',
    })
  }
}
const serverLimitMs = 20_000

/** Resolves when the nodes have told, since their process began, how they and their pods are: before, what is known of them is old. */
export const untilReporting = (plan: ClusterPlan, started: StartedProcesses): Promise<unknown> =>
  Promise.all(nodesWithAgent(plan).map((name) => started.get(name)?.ready))

/** Runs `act`, but ends with an error as soon as one of these processes ends, or the signal is aborted. */
export async function whileAlive<T>(started: StartedProcesses, act: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  for (const process of started.values()) process.alive.catch(reject)
  const stop = () => reject(new UserError('stopped', { code: 'Stopped', exitCode: 130 }))
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([act(), promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

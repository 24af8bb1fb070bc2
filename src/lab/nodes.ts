// effect: starts and ends nodes of a cluster that runs
// Nodes that come and go while the cluster runs. Each change is written down first and made true after, so that a kill in
// between is mended by the next `up` or `start`.
import { rmSync } from 'node:fs'
import { nodes, pods } from '#api/core.ts'
import { type Client, connect, isNotFound } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { boot, untilReporting, untilServing, whileAlive } from '#lab/boot.ts'
import { saveCluster } from '#lab/cluster-file.ts'
import {
  addMember,
  type Member,
  type NodePart,
  nodeParts,
  removeMember,
  requireMember,
  updateMember,
} from '#lab/cluster.ts'
import { credentialFiles } from '#lab/credential-files.ts'
import { removeHost, unplugHost } from '#lab/fabric.ts'
import { endWorkloads, killInhabitants, withinMs } from '#lab/inhabitants.ts'
import { type ClusterPlan, hostNamed, planCluster } from '#lab/plan.ts'
import { endProcess } from '#lab/processes.ts'
import type { Progress } from '#lab/progress.ts'
import { createNodes } from '#lab/node-objects.ts'
import { nodesReady, watchCluster } from '#lab/watch-cluster.ts'

export type Context = { readonly progress: Progress; readonly signal: AbortSignal }

/** Answers its name once it is ready. */
export async function addNode(plan: ClusterPlan, name: string | undefined, context: Context): Promise<string> {
  const cluster = addMember(plan.cluster, name)
  const added = cluster.members.at(-1)!.name
  await bringUp(planCluster(cluster), added, context)
  return added
}

/** Without parts all of it, also its power. */
export async function startNode(
  plan: ClusterPlan,
  name: string,
  parts: readonly NodePart[],
  context: Context,
): Promise<void> {
  const member = requireMember(plan.cluster, name)
  const before = member.power === 'off' ? [] : member.parts
  const wanted =
    parts.length === 0 ? nodeParts : nodeParts.filter((part) => before.includes(part) || parts.includes(part))
  await bringUp(planCluster(updateMember(plan.cluster, name, { power: 'on', parts: wanted })), name, context)
}

/**
 * Ends a node as a computer is shut down: its pods are asked to end, then it is away. With parts, only these processes
 * end; pods and rules stay.
 */
export async function stopNode(
  plan: ClusterPlan,
  name: string,
  parts: readonly NodePart[],
  graceMs: number,
  context: Context,
): Promise<void> {
  const member = requireOn(plan, name)
  if (parts.length > 0) return leaveOut(plan, member, parts, graceMs, context)
  const host = hostNamed(plan, name)!
  saveCluster(planCluster(updateMember(plan.cluster, name, { power: 'off', parts: nodeParts })))
  await context.progress.step('node process ended', () => endProcess(plan.paths, name, graceMs))
  await context.progress.step('containers ended', () => endWorkloads(plan.paths, [], graceMs, name))
  await killInhabitants(plan.paths, name)
  removeHost(plan, host)
}

/** Pulls the plug: first the cable, then everything at once. With parts, only these processes are killed. */
export async function killNode(
  plan: ClusterPlan,
  name: string,
  parts: readonly NodePart[],
  context: Context,
): Promise<void> {
  const member = requireOn(plan, name)
  if (parts.length > 0) return leaveOut(plan, member, parts, 0, context)
  const host = hostNamed(plan, name)!
  saveCluster(planCluster(updateMember(plan.cluster, name, { power: 'off', parts: nodeParts })))
  unplugHost(plan, host)
  // Before its pins go: without them nobody finds who lives there.
  await context.progress.step('node killed', () => killInhabitants(plan.paths, name))
  await endProcess(plan.paths, name, 0)
  removeHost(plan, host)
}

/** Takes a node away for good: its object, its pods, all that it kept. */
export async function deleteNode(plan: ClusterPlan, name: string, graceMs: number, context: Context): Promise<void> {
  const member = requireMember(plan.cluster, name)
  if (plan.cluster.members.length === 1)
    throw new UserError(`"${name}" is the only node of the cluster "${plan.options.name}"`, {
      code: 'LastNode',
      remedy: `remove the whole cluster with: fairway down --name ${plan.options.name}`,
    })
  const client = connect(loadKubeconfig(plan.paths.kubeconfig))
  await untilServing(plan, new Map(), context.progress, context.signal)
  if (member.power === 'on') await stopNode(plan, name, [], graceMs, context)
  await context.progress.step('objects deleted', () => deleteObjects(client, name, context.signal))
  const host = hostNamed(planCluster(updateMember(plan.cluster, name, { power: 'on' })), name)!
  for (const path of Object.values(credentialFiles(plan).node(host))) rmSync(path, { force: true })
  rmSync(`${plan.paths.state}/nodes/${name}`, { recursive: true, force: true })
  saveCluster(planCluster(removeMember(plan.cluster, name)))
}

/** Nobody is left there who could end its pods: they are deleted without waiting for that. */
async function deleteObjects(client: Client, name: string, signal: AbortSignal): Promise<void> {
  const { items } = await client.list(pods, { fieldSelector: `spec.nodeName=${name}`, signal })
  const gone = (error: unknown) => {
    if (!isNotFound(error)) throw error
  }
  await client.delete(nodes, name, { signal }).catch(gone)
  await Promise.all(
    items.map(({ metadata }) =>
      client
        .delete(pods, metadata!.name!, { namespace: metadata!.namespace!, gracePeriodSeconds: 0, signal })
        .catch(gone),
    ),
  )
}

/** The other parts go on in a process of their own. */
async function leaveOut(
  plan: ClusterPlan,
  { name, parts }: Member,
  unwanted: readonly NodePart[],
  graceMs: number,
  { progress, signal }: Context,
): Promise<void> {
  const left = parts.filter((part) => !unwanted.includes(part))
  const changed = planCluster(updateMember(plan.cluster, name, { parts: left }))
  saveCluster(changed)
  await progress.step('node process ended', () => endProcess(plan.paths, name, graceMs))
  const started = await boot(changed, progress)
  const others = [...started.values()].map(({ ready }) => ready)
  if (left.includes('agent'))
    await whileAlive(started, () => progress.step('other parts started', () => Promise.all(others)), signal)
}

async function bringUp(plan: ClusterPlan, name: string, { progress, signal }: Context): Promise<void> {
  const started = await boot(plan, progress)
  const client = await untilServing(plan, started, progress, signal)
  const ready = async () => {
    await createNodes(client, plan, { isNew: false }, signal)
    if (!hostNamed(plan, name)!.parts.includes('agent')) return
    await progress.step(`${name} ready`, async () => {
      await withinMs(readyLimitMs, untilReporting(plan, started))
      using watch = watchCluster(client, signal)
      await watch.until(nodesReady([name]), readyLimitMs)
    })
  }
  await whileAlive(started, ready, signal)
}
const readyLimitMs = 60_000

function requireOn(plan: ClusterPlan, name: string): Member {
  const member = requireMember(plan.cluster, name)
  if (member.power === 'on') return member
  throw new UserError(`${name} has been stopped already`, {
    code: 'NodeStopped',
    remedy: `start it with: fairway node start ${name} --name ${plan.options.name}`,
  })
}

// effect: containers of the runtime, the hosts file
// Starts one container of a pod: its image, its configuration, itself, its postStart hook; with the events and the
// reasons for waiting that kubelet has.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Container } from '#api/core.ts'
import { messageOf } from '#daemon/error.ts'
import { formatPod, type AgentContext, type StoredPod } from '#node/agent/agent-context.ts'
import { runHook } from '#node/agent/hooks.ts'
import type { ImagePuller } from '#node/agent/image-puller.ts'
import type { PodStopper } from '#node/agent/stop-pod.ts'
import { lastWordsPath, planContainerConfig } from '#node/pod/container-config.ts'
import type { Waiting } from '#node/pod/container-status.ts'
import type { PodFacts } from '#node/pod/downward.ts'
import { planEnvironment, type Lookup } from '#node/pod/env.ts'
import { hostnameOf, renderHosts, renderNodeHosts } from '#node/pod/hosts.ts'
import { backoffAfter, backoffOfNext } from '#node/pod/restart.ts'
import { checkNonRoot } from '#node/pod/security.ts'
import { newestOf, type PodView } from '#node/pod/view.ts'
import { RuntimeError, type ImageStatus, type Mount } from '#node/runtime.ts'
import type { Place } from '#node/volumes/pod-volumes.ts'
import { containerMounts, MountError } from '#node/volumes/container-mounts.ts'

export type StartContext = AgentContext & {
  readonly puller: ImagePuller
  readonly stopper: PodStopper
  readonly lookupIn: (namespace: string) => Lookup
  readonly serviceEnv: (namespace: string, links: boolean) => ReadonlyMap<string, string>
  /** the pod's own folder */
  readonly folderOf: (uid: string) => string
}

/** What is known of the pod by the time its containers start. */
export type StartInput = {
  readonly pod: StoredPod
  readonly view: PodView
  readonly sandboxId: string
  readonly facts: PodFacts
  readonly volumePlaces: ReadonlyMap<string, Place>
}

export type Started =
  | { readonly kind: 'started' }
  /** `againMs`: when to try again; `isStrained`: and not before, whatever changes meanwhile */
  | { readonly kind: 'waiting'; readonly waiting: Waiting; readonly againMs: number; readonly isStrained?: boolean }

/** The pause after what a change of an object may cure, or nothing. */
const retryMs = 10_000

export async function startContainer(context: StartContext, input: StartInput, container: Container): Promise<Started> {
  const { puller } = context
  const backoff = checkBackoff(context, input, container)
  if (backoff) return backoff
  const pulled = await puller.ensure(input.pod, container)
  if (pulled.kind === 'waiting') return pulled
  const attempt = await create(context, input, container, pulled.image)
  if (attempt.kind === 'waiting') return attempt
  return start(context, input, container, attempt.id)
}

function checkBackoff(
  { clock, events }: StartContext,
  { pod, view, sandboxId }: StartInput,
  container: Container,
): Started | undefined {
  const newest = newestOf(view, container.name)
  if (newest?.state !== 'exited') return undefined
  const backoffMs = backoffAfter(newest, sandboxId)
  const againMs = (newest.finishedAt ?? 0) + backoffMs - clock.now()
  if (againMs <= 0) return undefined
  const text = `restarting failed container ${container.name} in pod ${formatPod(pod)}`
  events.container(pod, container, 'Warning', 'BackOff', `Back-off ${text}`)
  const message = `back-off ${formatBackoff(backoffMs)} restarting failed container=${container.name} pod=${formatPod(pod)}`
  return { kind: 'waiting', waiting: { reason: 'CrashLoopBackOff', message }, againMs }
}

/** As Go prints these durations: 10s, 1m20s, 5m0s. */
const formatBackoff = (ms: number) => {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}

type Created = { readonly kind: 'created'; readonly id: string } | Extract<Started, { kind: 'waiting' }>

async function create(
  context: StartContext,
  input: StartInput,
  container: Container,
  image: ImageStatus,
): Promise<Created> {
  const { runtime, events } = context
  const { pod, view, sandboxId } = input
  const refuse = (reason: string, message: string, isStrained: boolean): Created => {
    events.container(pod, container, 'Warning', 'Failed', `Error: ${message}`)
    return { kind: 'waiting', waiting: { reason, message }, againMs: retryMs, isStrained }
  }
  const before = newestOf(view, container.name)
  const attempt = before === undefined ? 0 : before.metadata.attempt + 1
  const configured = configure(context, input, container, image, attempt)
  if (typeof configured === 'string') return refuse('CreateContainerConfigError', configured, false)
  const config = planContainerConfig(pod, container, {
    attempt,
    imageRef: image.ref,
    env: configured.env,
    mounts: configured.mounts,
    backoffMs: backoffOfNext(before, sandboxId),
    target: targetOf(input, container),
  })
  try {
    const id = await runtime.createContainer(sandboxId, config)
    events.container(pod, container, 'Normal', 'Created', 'Container created')
    return { kind: 'created', id }
  } catch (error) {
    if (error instanceof RuntimeError) return refuse('CreateContainerError', messageOf(error), true)
    throw error
  }
}

/** `kubectl debug --target`: whose processes an ephemeral container sees. */
function targetOf({ pod, view }: StartInput, { name }: Container): number | undefined {
  const target = pod.spec.ephemeralContainers?.find((one) => one.name === name)?.targetContainerName
  return target ? newestOf(view, target)?.pid : undefined
}

type Configured = { readonly env: ReadonlyMap<string, string>; readonly mounts: readonly Mount[] }

/** The text of what is in the way, where something is. */
function configure(
  context: StartContext,
  { pod, facts, volumePlaces }: StartInput,
  container: Container,
  image: ImageStatus,
  attempt: number,
): Configured | string {
  const { lookupIn, serviceEnv, allocatable } = context
  const { namespace } = pod.metadata
  const planned = planEnvironment({
    pod,
    container,
    services: serviceEnv(namespace, pod.spec.enableServiceLinks ?? true),
    facts,
    allocatable: allocatable(),
    lookup: lookupIn(namespace),
  })
  if (planned.kind === 'missing') return planned.message
  const problem = checkNonRoot(pod, container, image.user)
  if (problem !== undefined) return problem
  try {
    const volumes = containerMounts(container, volumePlaces, planned.variables)
    const own = ownMounts(context, { pod, facts, attempt }, container, volumes)
    return { env: planned.variables, mounts: [...volumes, ...own] }
  } catch (error) {
    if (error instanceof MountError) return error.message
    throw error
  }
}

/** The files that every container has of its pod: the hosts file, and where it leaves its last words. */
function ownMounts(
  { folderOf, clusterDns }: StartContext,
  { pod, facts, attempt }: { readonly pod: StoredPod; readonly facts: PodFacts; readonly attempt: number },
  container: Container,
  volumes: readonly Mount[],
): readonly Mount[] {
  const folder = folderOf(pod.metadata.uid)
  mkdirSync(join(folder, 'containers', container.name), { recursive: true })
  const own = (containerPath: string, hostPath: string): Mount => ({
    containerPath,
    hostPath,
    readOnly: false,
    propagation: 'private',
  })
  const hosts = join(folder, 'etc-hosts')
  const aliases = pod.spec.hostAliases ?? []
  const text = pod.spec.hostNetwork
    ? renderNodeHosts(readFileSync('/etc/hosts', 'utf8'), aliases)
    : renderHosts({ ips: facts.podIps, ...hostnameOf(pod, clusterDns.domain), aliases })
  writeFileSync(hosts, text)
  const lastWords = join(folder, 'containers', container.name, `termination-log.${attempt}`)
  writeFileSync(lastWords, '')
  chmodSync(lastWords, 0o666)
  const hasOwnHosts = volumes.some(({ containerPath }) => containerPath === '/etc/hosts')
  return [...(hasOwnHosts ? [] : [own('/etc/hosts', hosts)]), own(lastWordsPath(container), lastWords)]
}

async function start(
  context: StartContext,
  { pod, view, facts }: StartInput,
  container: Container,
  id: string,
): Promise<Started> {
  const { runtime, events, stopper, log } = context
  try {
    await runtime.startContainer(id)
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    const message = messageOf(error)
    events.container(pod, container, 'Warning', 'Failed', `Error: ${message}`)
    return { kind: 'waiting', waiting: { reason: 'RunContainerError', message }, againMs: retryMs }
  }
  events.container(pod, container, 'Normal', 'Started', 'Container started')
  await dropOlder(runtime, view, container.name)
  const postStart = container.lifecycle?.postStart
  if (postStart === undefined) return { kind: 'started' }
  const problem = await runHook(context, postStart, { container, id, podIp: facts.podIps[0] ?? '' }, 0)
  if (problem === undefined) return { kind: 'started' }
  log.error('Failed to execute PostStartHook', { pod: `${pod.metadata.namespace}/${pod.metadata.name}`, err: problem })
  events.container(pod, container, 'Warning', 'FailedPostStartHook', 'PostStartHook failed')
  const status = runtime.containerStatus(id)
  const graceMs = 1000 * (pod.spec.terminationGracePeriodSeconds ?? 30)
  if (status) await stopper.stop(pod, status, { message: 'FailedPostStartHook', graceMs })
  return { kind: 'waiting', waiting: { reason: 'PostStartHookError', message: problem }, againMs: 0 }
}

/** Of the instances before this one, only the last is kept, for its log and its exit code. */
async function dropOlder(runtime: StartContext['runtime'], view: PodView, name: string): Promise<void> {
  const ended = view.containers.filter(({ metadata, state }) => metadata.name === name && state !== 'running')
  for (const { id } of ended.slice(1)) await runtime.removeContainer(id)
}

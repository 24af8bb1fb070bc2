// What to do next for a pod that shall run: a pure function from the pod and what the runtime has of it. It decides as
// kubelet does: a pod needs one ready sandbox with an address; init containers run one after the other, sidecars among
// them go on; then all containers; one that failed its liveness or startup probe is killed and, by policy, started again.

import type { Container, Pod } from '#api/core.ts'
import { ephemeralContainersOf } from '#node/pod/containers.ts'
import { faultOf, type Kill, type ProbeVerdict } from '#node/pod/fault.ts'
import { planInit } from '#node/pod/init-actions.ts'
import { restartsAfter, shouldStart } from '#node/pod/restart.ts'
import { hasCreatedContainer, newestOf, type PodView } from '#node/pod/view.ts'

export type PodActions = {
  /** Stop every container and sandbox of the pod first. */
  readonly killPod: boolean
  readonly createSandbox: boolean
  /** of the sandbox to create */
  readonly attempt: number
  /** of the newest sandbox, which is replaced where createSandbox is set */
  readonly sandboxId: string | undefined
  readonly kill: readonly Kill[]
  /** in this order; a regular one that cannot be started stops the row */
  readonly startInit: readonly Container[]
  readonly start: readonly Container[]
  /** as soon as there is a sandbox, whatever the others do */
  readonly startEphemeral: readonly Container[]
}

const nothing = {
  killPod: false,
  createSandbox: false,
  kill: [],
  startInit: [],
  start: [],
  startEphemeral: [],
} as const

export function planActions(pod: Pod, view: PodView, verdict: ProbeVerdict): PodActions {
  const sandbox = planSandbox(pod, view)
  if (sandbox.changed) return planNewSandbox(pod, view, sandbox)
  const { attempt, sandboxId } = sandbox
  const startEphemeral = pod.spec === undefined ? [] : ephemeralContainersOf(pod.spec).filter(isNew(view))
  const same = { ...nothing, attempt, sandboxId, startEphemeral }
  const init = planInit(pod, view, verdict)
  if (!init.done) return { ...same, killPod: init.failed, kill: init.kill, startInit: init.start }
  const own = (pod.spec?.containers ?? []).map((container) => planContainer(container, pod, view, verdict))
  const start = own.flatMap((one) => (one.start ? [one.start] : []))
  const kept = own.some((one) => one.kept)
  const kill = [...init.kill, ...own.flatMap((one) => (one.kill ? [one.kill] : []))]
  // Sidecars alone do not keep a pod alive.
  if (!kept && start.length === 0) return { ...same, killPod: true }
  return { ...same, kill, startInit: init.start, start }
}

const isNew =
  (view: PodView) =>
  ({ name }: Container): boolean => {
    const newest = newestOf(view, name)
    return newest === undefined || newest.state === 'created'
  }

type SandboxPlan = { readonly changed: boolean; readonly attempt: number; readonly sandboxId: string | undefined }

function planSandbox(pod: Pod, view: PodView): SandboxPlan {
  const newest = view.sandboxes[0]
  if (newest === undefined) return { changed: true, attempt: 0, sandboxId: undefined }
  const onHost = pod.spec?.hostNetwork === true
  const fits =
    view.sandboxes.filter((sandbox) => sandbox.state === 'ready').length === 1 &&
    newest.state === 'ready' &&
    newest.hostNetwork === onHost &&
    (onHost || newest.ips.length > 0)
  return { changed: !fits, attempt: newest.metadata.attempt + (fits ? 0 : 1), sandboxId: newest.id }
}

function planNewSandbox(pod: Pod, view: PodView, { attempt, sandboxId }: SandboxPlan): PodActions {
  const plan = { ...nothing, attempt, sandboxId, killPod: true }
  const isRunOnce = pod.spec?.restartPolicy === 'Never'
  if (isRunOnce && attempt > 0 && view.containers.length > 0) return plan
  const start = (pod.spec?.containers ?? []).filter((container) => {
    const newest = newestOf(view, container.name)
    const succeeded = newest?.state === 'exited' && newest.exitCode === 0
    return !(succeeded && (container.restartPolicy ?? pod.spec?.restartPolicy) === 'OnFailure')
  })
  if (start.length === 0 && hasCreatedContainer(pod, view)) return plan
  const [firstInit] = pod.spec?.initContainers ?? []
  return firstInit ? { ...plan, createSandbox: true, startInit: [firstInit] } : { ...plan, createSandbox: true, start }
}

type ContainerPlan = { readonly kept: boolean; readonly start?: Container; readonly kill?: Kill }

function planContainer(container: Container, pod: Pod, view: PodView, verdict: ProbeVerdict): ContainerPlan {
  const newest = newestOf(view, container.name)
  if (newest?.state !== 'running') {
    if (!shouldStart(container, pod, newest)) return { kept: false }
    if (newest?.state !== 'unknown') return { kept: false, start: container }
    const message = 'Container is in "unknown" state, try killing it before restart'
    return { kept: false, start: container, kill: { id: newest.id, name: container.name, message, reason: 'other' } }
  }
  const fault = faultOf(container, newest, verdict)
  if (!fault) return { kept: true }
  // A probe tells no exit code: any failure counts as one.
  const again = fault.reason === 'other' || restartsAfter({ ...container, restartPolicyRules: [] }, pod, 1)
  const message = again ? `${fault.message}, will be restarted` : fault.message
  const kill = { id: newest.id, name: container.name, message, reason: fault.reason }
  return again ? { kept: false, start: container, kill } : { kept: false, kill }
}

// When a container that has ended runs again, and how long it waits first.
//
// The wait is Kubernetes' crash-loop back-off: none before the first restart, then 10 s, 20 s ... up to 300 s; a
// container that ran for more than 10 minutes starts over. Each instance of a container carries the wait that follows
// it, so that nothing is forgotten when the agent itself restarts. What ended together with its sandbox or its monitor did
// not crash, somebody took the node down: nobody waits after that.

import type { Container, Pod } from '#api/core.ts'
import { type ContainerStatus, unseenEnd } from '#node/runtime.ts'

/** The annotation, on a container, of how long its successor waits after its end. */
export const backoffAnnotation = 'fairway/restart-backoff-ms'

const firstBackoffMs = 10_000
const mostBackoffMs = 300_000
const forgottenAfterMs = 2 * mostBackoffMs

/** A sidecar: an init container that goes on running. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always'

/** Whether a container that ended with this code is started again, by its rules, its own policy or the pod's. */
export function restartsAfter(container: Container, pod: Pod, exitCode: number): boolean {
  for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
    if (action !== 'Restart' || exitCodes === undefined) continue
    const isListed = (exitCodes.values ?? []).includes(exitCode)
    if (isListed === (exitCodes.operator === 'In')) return true
  }
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always'
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

/** Whether a container shall be started, given its newest instance. */
export function shouldStart(container: Container, pod: Pod, newest: ContainerStatus | undefined): boolean {
  if (pod.metadata?.deletionTimestamp !== undefined) return false
  if (newest === undefined || newest.state === 'unknown' || newest.state === 'created') return true
  return newest.state === 'exited' && restartsAfter(container, pod, newest.exitCode ?? 0)
}

const ranLong = (ended: ContainerStatus) => (ended.finishedAt ?? 0) - ended.createdAt > forgottenAfterMs

/** How it ended nobody has seen, or not in the sandbox that there is now. */
const wentWithNode = (ended: ContainerStatus, sandboxId: string) =>
  ended.sandboxId !== sandboxId || ended.reason === unseenEnd

/** How long after its end the successor of this instance has to wait, in that sandbox. */
export function backoffAfter(ended: ContainerStatus, sandboxId: string): number {
  return ranLong(ended) || wentWithNode(ended, sandboxId) ? 0 : Number(ended.annotations[backoffAnnotation] ?? 0)
}

/** What to write on the instance that follows `ended` (undefined: the first one) in that sandbox. */
export function backoffOfNext(ended: ContainerStatus | undefined, sandboxId: string): number {
  if (ended === undefined || wentWithNode(ended, sandboxId)) return 0
  if (ranLong(ended)) return firstBackoffMs
  return Math.min(Math.max(firstBackoffMs, 2 * backoffAfter(ended, sandboxId)), mostBackoffMs)
}

// Pods, containers and sandboxes for tests, with only what a test is about said.

import type { Container, Pod, PodSpec } from '#api/core.ts'
import { stored, type Stored } from '#api/stored.ts'
import type { ContainerStatus, Sandbox } from '#node/runtime.ts'
import { uidLabel, viewPod, type PodView } from '#node/pod/view.ts'

export const uid = 'uid-1'

export function makePod(
  spec: Partial<PodSpec> = {},
  metadata: Pod['metadata'] = {},
  status?: Pod['status'],
): Stored<Pod> {
  const containers: readonly Container[] = [{ name: 'main', image: 'img' }]
  return stored({
    metadata: { name: 'web', namespace: 'shop', uid, ...metadata },
    spec: { containers, restartPolicy: 'Always', terminationGracePeriodSeconds: 30, ...spec },
    ...(status && { status }),
  })
}

export const makeSandbox = (part: Partial<Sandbox> = {}): Sandbox => ({
  id: 'sandbox-0',
  metadata: { name: 'web', namespace: 'shop', uid, attempt: 0 },
  state: 'ready',
  createdAt: 1000,
  ips: ['10.244.0.5'],
  hostNetwork: false,
  labels: { [uidLabel]: uid },
  annotations: {},
  ...part,
})

/** An instance of container `name`; its id is `name-attempt`, and later attempts are newer. */
export const makeContainer = (
  name: string,
  state: ContainerStatus['state'],
  part: Partial<ContainerStatus> & { readonly attempt?: number } = {},
): ContainerStatus => {
  const { attempt = 0, ...rest } = part
  return {
    id: `${name}-${attempt}`,
    sandboxId: 'sandbox-0',
    metadata: { name, attempt },
    state,
    createdAt: 2000 + 1000 * attempt,
    ...(state !== 'created' && { startedAt: 2000 + 1000 * attempt }),
    ...(state === 'exited' && { finishedAt: 2500 + 1000 * attempt, exitCode: 0, reason: 'Completed' }),
    image: 'img',
    imageRef: 'ref',
    logPath: '/log',
    mounts: [],
    tty: false,
    stdin: false,
    labels: { [uidLabel]: uid },
    annotations: {},
    ...rest,
  }
}

export const makeView = (...containers: readonly ContainerStatus[]): PodView =>
  viewPod(uid, [makeSandbox()], containers)

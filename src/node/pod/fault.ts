// Why a running container must go: its image was changed, or a probe found it dead.

import type { Container } from '#api/core.ts'
import { isSidecar } from '#node/pod/restart.ts'
import type { ContainerStatus } from '#node/runtime.ts'

export type ProbeKind = 'startup' | 'readiness' | 'liveness'
/** The newest verdict of a container's probe; undefined while there is none. */
export type ProbeVerdict = (containerId: string, kind: ProbeKind) => 'success' | 'failure' | undefined

export type Kill = {
  readonly id: string
  readonly name: string
  /** of the event that says so */
  readonly message: string
  readonly reason: 'startupProbe' | 'livenessProbe' | 'other'
}

export function faultOf(
  container: Container,
  running: ContainerStatus,
  verdict: ProbeVerdict,
): Pick<Kill, 'message' | 'reason'> | undefined {
  const what = isSidecar(container) ? `Init container ${container.name}` : `Container ${container.name}`
  if (container.image !== running.image) return { message: `${what} definition changed`, reason: 'other' }
  if (verdict(running.id, 'liveness') === 'failure')
    return { message: `${what} failed liveness probe`, reason: 'livenessProbe' }
  if (verdict(running.id, 'startup') === 'failure')
    return { message: `${what} failed startup probe`, reason: 'startupProbe' }
  return undefined
}

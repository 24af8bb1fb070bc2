// Who a container's process is and what it may do: the pod's and the container's securityContext put together.

import type { Container, Pod } from '#api/core.ts'
import type { ContainerSecurity } from '#node/runtime.ts'

export function planSecurity(pod: Pod, container: Container): ContainerSecurity {
  const ofPod = pod.spec?.securityContext
  const own = container.securityContext
  const user = own?.runAsUser ?? ofPod?.runAsUser
  const group = own?.runAsGroup ?? ofPod?.runAsGroup
  const privileged = own?.privileged ?? false
  return {
    privileged,
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
    supplementalGroups: [
      ...(ofPod?.supplementalGroups ?? []),
      ...(ofPod?.fsGroup === undefined ? [] : [ofPod.fsGroup]),
    ],
    addCapabilities: own?.capabilities?.add ?? [],
    dropCapabilities: own?.capabilities?.drop ?? [],
    readOnlyRoot: own?.readOnlyRootFilesystem ?? false,
    noNewPrivileges: own?.allowPrivilegeEscalation === false && !privileged,
  }
}

/** The text of why the container may not run, where it must not be root but would be. */
export function checkNonRoot(pod: Pod, container: Container, imageUser: number | string): string | undefined {
  const must = container.securityContext?.runAsNonRoot ?? pod.spec?.securityContext?.runAsNonRoot
  if (!must) return undefined
  const user = container.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser
  const { name, namespace, uid } = pod.metadata ?? {}
  const where = `(pod: "${name}_${namespace}(${uid})", container: ${container.name})`
  if (user === 0) return `container's runAsUser breaks non-root policy ${where}`
  if (user === undefined && typeof imageUser === 'string')
    return `container has runAsNonRoot and image has non-numeric user (${imageUser}), cannot verify user is non-root ${where}`
  if (user === undefined && imageUser === 0) return `container has runAsNonRoot and image will run as root ${where}`
  return undefined
}

// What the agent asks the runtime to run for a container of a pod, put together from all that is known of both.

import type { Container, Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { expand } from '#node/pod/expand.ts'
import { hostnameOf } from '#node/pod/hosts.ts'
import { backoffAnnotation } from '#node/pod/restart.ts'
import { planSecurity } from '#node/pod/security.ts'
import { uidLabel } from '#node/pod/view.ts'
import type { ContainerConfig, DnsConfig, Mount, PortMapping, SandboxConfig } from '#node/runtime.ts'

/** Where a container leaves its last words, and whether the end of its log stands in for them. */
export const lastWordsAnnotation = 'io.kubernetes.container.terminationMessagePath'
export const lastWordsPolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy'
export const lastWordsPath = (container: Container): string =>
  container.terminationMessagePath || '/dev/termination-log'

const labelsOf = ({ metadata }: Stored<Pod>) => ({
  'io.kubernetes.pod.name': metadata.name,
  'io.kubernetes.pod.namespace': metadata.namespace,
  [uidLabel]: metadata.uid,
})

/** The folder of a pod's logs, below that of all. */
export const logFolderOf = ({ metadata }: Stored<Pod>): string =>
  `${metadata.namespace}_${metadata.name}_${metadata.uid}`

export function planSandboxConfig(
  pod: Stored<Pod>,
  o: { readonly attempt: number; readonly dns: DnsConfig; readonly logRoot: string; readonly clusterDomain: string },
): SandboxConfig {
  const { spec, metadata } = pod
  const { hostname, domain } = hostnameOf(pod, o.clusterDomain)
  return {
    metadata: { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid, attempt: o.attempt },
    hostname: spec.setHostnameAsFQDN && domain !== '' ? `${hostname}.${domain}` : hostname,
    dns: o.dns,
    portMappings: planPortMappings(pod),
    logDirectory: `${o.logRoot}/${logFolderOf(pod)}`,
    hostNetwork: spec.hostNetwork ?? false,
    hostPid: spec.hostPID ?? false,
    hostIpc: spec.hostIPC ?? false,
    sysctls: Object.fromEntries((spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value])),
    labels: { ...metadata.labels, ...labelsOf(pod) },
    annotations: metadata.annotations ?? {},
  }
}

/** Ports of the node that lead into the pod; on the host's network there is nothing to lead. */
export function planPortMappings({ spec }: Stored<Pod>): readonly PortMapping[] {
  if (spec.hostNetwork) return []
  return [...(spec.initContainers ?? []), ...spec.containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol, hostIP }) =>
      hostPort
        ? { protocol: (protocol ?? 'TCP') as PortMapping['protocol'], containerPort, hostPort, hostIp: hostIP ?? '' }
        : [],
    ),
  )
}

export function planContainerConfig(
  pod: Stored<Pod>,
  container: Container,
  o: {
    readonly attempt: number
    readonly imageRef: string
    readonly env: ReadonlyMap<string, string>
    readonly mounts: readonly Mount[]
    readonly backoffMs: number
    /** a process of the container that this one shall look at */
    readonly target?: number | undefined
  },
): ContainerConfig {
  const stopSignal = container.lifecycle?.stopSignal
  return {
    metadata: { name: container.name, attempt: o.attempt },
    image: container.image ?? '',
    imageRef: o.imageRef,
    command: (container.command ?? []).map((word) => expand(word, o.env)),
    args: (container.args ?? []).map((word) => expand(word, o.env)),
    workingDir: container.workingDir ?? '',
    env: [...o.env].map(([name, value]) => ({ name, value })),
    mounts: o.mounts,
    logPath: `${container.name}/${o.attempt}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    ...(stopSignal && { stopSignal }),
    security: planSecurity(pod, container),
    ...(o.target !== undefined && { pidOf: o.target }),
    labels: { ...labelsOf(pod), 'io.kubernetes.container.name': container.name },
    annotations: {
      [backoffAnnotation]: String(o.backoffMs),
      [lastWordsAnnotation]: lastWordsPath(container),
      [lastWordsPolicyAnnotation]: container.terminationMessagePolicy ?? 'File',
    },
  }
}

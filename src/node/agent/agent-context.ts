// What the parts of the agent share.

import type { Pod, PodStatus } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import type { Client } from '#client/client.ts'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import type { PodEvents } from '#node/agent/pod-events.ts'
import type { ClusterDns } from '#node/pod/resolv-conf.ts'
import type { Allocatable } from '#node/pod/resource-field.ts'
import type { DnsConfig, Runtime } from '#node/runtime.ts'

export type StoredPod = Stored<Pod>

export type AgentContext = {
  readonly client: Client
  readonly runtime: Runtime
  readonly events: PodEvents
  readonly clock: Clock
  readonly log: Logger
  readonly nodeName: string
  /** the node's addresses, the primary one first */
  readonly hostIps: readonly string[]
  readonly clusterDns: ClusterDns
  /** the machine's own resolver configuration */
  readonly nodeDns: () => DnsConfig
  readonly allocatable: () => Allocatable
  /** pods' logs, one folder each */
  readonly logRoot: string
  /** the pods that the API server wants on this node, by UID */
  readonly pods: ReadonlyMap<string, StoredPod>
  /** what was published last of a pod, or what the API has */
  readonly publishedStatus: (uid: string) => PodStatus | undefined
}

/** `name_namespace(uid)`, as kubelet's messages name a pod. */
export const formatPod = ({ metadata }: StoredPod): string => `${metadata.name}_${metadata.namespace}(${metadata.uid})`

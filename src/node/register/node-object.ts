// The Node object that stands for this machine: what it says of itself, from facts that were looked up elsewhere.

import type { Node, NodeCondition, NodeStatus } from '#api/core.ts'
import { formatTime } from '#api/time.ts'
import { kubernetesVersion } from '#daemon/version.ts'
import { equalJson } from '#lib/equal.ts'

export type MachineFacts = {
  readonly cpus: number
  readonly memoryKiB: number
  readonly diskKiB: number
  readonly machineId: string
  readonly systemUuid: string
  readonly bootId: string
  readonly kernelVersion: string
  readonly osImage: string
  /** as Go has it: amd64, arm64 */
  readonly architecture: string
}

export type NodeInput = {
  readonly name: string
  readonly ips: readonly string[]
  readonly facts: MachineFacts
  /** `crun://1.8.1` */
  readonly runtimeVersion: string
  readonly port: number
  /** why it is not ready; empty where it is */
  readonly problems: readonly string[]
}

export const mostPods = 110

const resourcesOf = ({ cpus, memoryKiB, diskKiB }: MachineFacts) => ({
  cpu: String(cpus),
  'ephemeral-storage': `${diskKiB}Ki`,
  memory: `${memoryKiB}Ki`,
  pods: String(mostPods),
})

/** As it is first created; its status is told separately. */
export const planNode = ({ name, facts }: NodeInput): Node => ({
  metadata: {
    name,
    labels: {
      'beta.kubernetes.io/arch': facts.architecture,
      'beta.kubernetes.io/os': 'linux',
      'kubernetes.io/arch': facts.architecture,
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
    },
  },
  spec: {},
})

/** The status; conditions keep the time of their last change while they stay the same. */
export function planNodeStatus(input: NodeInput, previous: NodeStatus | undefined, nowMs: number): NodeStatus {
  const { name, ips, facts, runtimeVersion, port } = input
  const resources = resourcesOf(facts)
  return {
    addresses: [...ips.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: name }],
    allocatable: resources,
    capacity: resources,
    conditions: planConditions(input).map((condition) => stamp(condition, previous?.conditions ?? [], nowMs)),
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    nodeInfo: {
      architecture: facts.architecture,
      bootID: facts.bootId,
      containerRuntimeVersion: runtimeVersion,
      kernelVersion: facts.kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: `${kubernetesVersion}-fairway`,
      machineID: facts.machineId,
      operatingSystem: 'linux',
      osImage: facts.osImage,
      systemUUID: facts.systemUuid,
    },
  }
}

type Planned = Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>

function planConditions({ problems }: NodeInput): readonly Planned[] {
  const fine = (type: string, reason: string, message: string): Planned => ({ type, status: 'False', reason, message })
  return [
    fine('MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    fine('DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    fine('PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    problems.length === 0
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: problems.join(', ') },
  ]
}

function stamp(condition: Planned, previous: readonly NodeCondition[], nowMs: number): NodeCondition {
  const now = formatTime(nowMs)
  const before = previous.find(({ type }) => type === condition.type)
  const lastTransitionTime = before?.status === condition.status ? (before.lastTransitionTime ?? now) : now
  return { ...condition, lastHeartbeatTime: now, lastTransitionTime }
}

/**
 * Whether a new status says nothing new: the time of a heartbeat is no news, and what others say in the old one (the pod
 * network has a condition of its own) is none of it.
 */
export function saysTheSame(status: NodeStatus, old: NodeStatus | undefined): boolean {
  const { conditions = [], ...rest } = status
  const known = (type: string) => old?.conditions?.find((condition) => condition.type === type)
  return (
    conditions.every((condition) => equalJson(withoutHeartbeat(condition), withoutHeartbeat(known(condition.type)))) &&
    Object.entries(rest).every(([field, value]) => equalJson(value, old?.[field as keyof NodeStatus]))
  )
}

const withoutHeartbeat = (condition: NodeCondition | undefined) => {
  const { lastHeartbeatTime: _, ...rest } = condition ?? {}
  return rest
}

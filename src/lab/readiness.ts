// What is still to be waited for, after the API's own words. Pure: from objects to sentences.
import type { Deployment } from '#api/apps.ts'
import type { ApiObject } from '#api/meta.ts'
import type { ContainerStatus, Node, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { keyOf } from '#api/object-key.ts'
import { isPodReady, isPodTerminal, isPodTerminating, podCondition } from '#api/pod-state.ts'

export type Observed = {
  readonly nodes: readonly Node[]
  readonly deployments: readonly Deployment[]
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
}

export type Waiting = {
  /** `pod default/hostnames-1: ErrImagePull: ...` */
  readonly what: string
  /** Nothing that the cluster does by itself will change it. */
  readonly hopeless: boolean
}

/** What a cluster should have. */
export type Expected = {
  /** names of the nodes that there shall be */
  readonly nodes: readonly string[]
  /** the loadBalancerClass of who makes load balancers, and those without a class too; undefined: nobody does */
  readonly balancer: string | undefined
}

/** Everything that is not ready yet; empty means that all is well. */
export function waitingFor(observed: Observed, { nodes, balancer }: Expected): readonly Waiting[] {
  return [
    ...waitingForNodes(observed.nodes, nodes),
    ...observed.deployments.flatMap((deployment) => waitForDeployment(deployment)),
    ...observed.pods.filter((pod) => !isPodTerminal(pod) && !isPodTerminating(pod)).flatMap(waitForPod),
    ...observed.services.flatMap((service) => waitForService(service, observed)),
    ...observed.services.flatMap((service) => waitForBalancer(service, balancer)),
  ]
}

export const waitingForNodes = (observed: readonly Node[], names: readonly string[]): readonly Waiting[] =>
  names.flatMap((name) =>
    waitForNode(
      name,
      observed.find(({ metadata }) => metadata?.name === name),
    ),
  )

/** What was written and has not been seen: until it is, what is seen says nothing about it. */
export function waitingForNews(observed: Observed, written: readonly ApiObject[]): readonly Waiting[] {
  const seenOf: Readonly<Record<string, readonly ApiObject[]>> = {
    Deployment: observed.deployments,
    Pod: observed.pods,
    Service: observed.services,
  }
  return written.flatMap((object) => {
    const known = seenOf[object.kind ?? '']
    if (known === undefined) return []
    const seen = known.find((one) => keyOf(one) === keyOf(object))
    const isNew = seen !== undefined && versionOf(seen) >= versionOf(object)
    return isNew ? [] : still(`${object.kind!.toLowerCase()} ${keyOf(object)}: not seen yet`)
  })
}

/** Resource versions of one server are numbers that grow with every write. */
const versionOf = ({ metadata }: ApiObject): bigint => BigInt(metadata?.resourceVersion ?? 0)

const still = (what: string): readonly Waiting[] => [{ what, hopeless: false }]
function waitForNode(name: string, node: Node | undefined): readonly Waiting[] {
  if (node === undefined) return still(`node ${name}: has not come`)
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready?.status !== 'True') return still(`node ${name}: ${ready?.message ?? 'not ready'}`)
  // Until the controllers take it away, no pod is placed there.
  const isTainted = node.spec?.taints?.some(({ key }) => key === 'node.kubernetes.io/not-ready') ?? false
  return isTainted ? still(`node ${name}: ready, and not free for pods yet`) : []
}

function waitForDeployment(deployment: Deployment): readonly Waiting[] {
  const { metadata, spec, status } = deployment
  const wanted = spec?.replicas ?? 1
  const seen = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0)
  const [updated, available] = [seen ? (status?.updatedReplicas ?? 0) : 0, seen ? (status?.availableReplicas ?? 0) : 0]
  return updated >= wanted && available >= wanted
    ? []
    : still(`deployment ${keyOf(deployment)}: ${available} of ${wanted} available`)
}

function waitForPod(pod: Pod): readonly Waiting[] {
  if (isPodReady(pod)) return []
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const stuck = containers.find(({ state }) => state?.waiting?.reason !== undefined)?.state?.waiting
  const scheduled = podCondition(pod, 'PodScheduled')
  const why =
    stuck && stuck.reason !== 'ContainerCreating' && stuck.reason !== 'PodInitializing'
      ? `${stuck.reason}${stuck.message === undefined ? '' : `: ${stuck.message}`}`
      : scheduled?.status === 'False'
        ? `${scheduled.reason}: ${scheduled.message}`
        : (podCondition(pod, 'Ready')?.message ?? pod.status?.phase ?? 'Pending')
  return [{ what: `pod ${keyOf(pod)}: ${why}`, hopeless: containers.some(isHopeless) }]
}

/** An image that nobody has will not come by waiting. */
const isHopeless = ({ state }: ContainerStatus) =>
  ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'].includes(state?.waiting?.reason ?? '')

/** A Service waits for an endpoint where there is a pod that could be one. */
function waitForService(service: Service, { pods, slices }: Observed): readonly Waiting[] {
  const { selector, type, publishNotReadyAddresses } = service.spec ?? {}
  if (type === 'ExternalName' || selector === undefined || Object.keys(selector).length === 0) return []
  const matches = ({ metadata }: Pod) =>
    metadata?.namespace === service.metadata?.namespace &&
    Object.entries(selector).every(([key, value]) => metadata?.labels?.[key] === value)
  const candidates = pods.filter((pod) => matches(pod) && !isPodTerminal(pod) && !isPodTerminating(pod))
  if (candidates.length === 0) return []
  const ready = readyEndpoints(service, slices).length
  return ready >= (publishNotReadyAddresses ? 1 : candidates.filter(isPodReady).length || 1)
    ? []
    : still(`service ${keyOf(service)}: ${ready} of ${candidates.length} endpoints`)
}

function waitForBalancer(service: Service, balancer: string | undefined): readonly Waiting[] {
  const { type, loadBalancerClass = balancer } = service.spec ?? {}
  if (type !== 'LoadBalancer' || balancer === undefined || loadBalancerClass !== balancer) return []
  return service.status?.loadBalancer?.ingress?.length ? [] : still(`service ${keyOf(service)}: no load balancer yet`)
}

export type ReadyEndpoint = { readonly ip: string; readonly pod: string | undefined; readonly node: string | undefined }

/** Addresses that a Service leads to now, each once. */
export function readyEndpoints(service: Service, slices: readonly EndpointSlice[]): readonly ReadyEndpoint[] {
  const found = new Map<string, ReadyEndpoint>()
  for (const slice of slices) {
    const { namespace, labels } = slice.metadata ?? {}
    if (namespace !== service.metadata?.namespace) continue
    if (labels?.['kubernetes.io/service-name'] !== service.metadata?.name) continue
    for (const { addresses, conditions, targetRef, nodeName } of slice.endpoints ?? [])
      if (conditions?.ready !== false)
        for (const ip of addresses ?? []) found.set(ip, { ip, pod: targetRef?.name, node: nodeName })
  }
  return [...found.values()]
}

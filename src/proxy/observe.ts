// effect: list and watch requests, events
// Follows Services, EndpointSlices and the own Node into slim views; tells which Service a change is about.
import { type Node, nodes, type Service, services } from '#api/core.ts'
import { type EndpointSlice, endpointSlices } from '#api/discovery.ts'
import { type ServiceCIDR, serviceCidrs } from '#api/networking.ts'
import { ApiError, type Client } from '#client/client.ts'
import type { Recorder } from '#client/events.ts'
import { informer } from '#client/informer.ts'
import type { Logger } from '#daemon/log.ts'
import { equalJson } from '#lib/equal.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import type { Ip } from '#lib/ip.ts'
import type { ChangeKind } from '#proxy/progress.ts'
import type { ServiceCache } from '#proxy/service-cache.ts'
import { type NodeView, type ServiceView, type SliceView, viewNode, viewService, viewSlice } from '#proxy/state.ts'

export type ObserveOptions = {
  readonly client: Client
  readonly nodeName: string
  readonly services: ServiceCache
  readonly recorder: Recorder
  readonly log: Logger
  readonly signal: AbortSignal
  /** `namespace/name`; `changedAt`: when the pods changed that are behind it, in milliseconds since 1970 */
  onService(key: string, kind: ChangeKind, changedAt?: number): void
  /** undefined: the Node is gone */
  onNode(node: NodeView | undefined): void
  /** Where this is given, the other Nodes are followed too: the addresses of one, none where it is gone. */
  readonly onPeer?: ((name: string, addresses: readonly Ip[]) => void) | undefined
  /** Where this is given, the ranges of cluster IPs are followed, as far as the server knows of such: all of them each time. */
  readonly onServiceCidrs?: ((cidrs: readonly string[]) => void) | undefined
}

export type Observed = { readonly synced: Promise<unknown> }

/** Asks only for what kube-proxy asks for, so that the rights of `system:node-proxier` are enough. */
export function observe(options: ObserveOptions): Observed {
  const { client, log, signal, nodeName } = options
  const common = { signal, log, equal: equalJson }
  const ofNode = informer<Node, NodeView>(client, nodes, {
    ...common,
    ...(options.onPeer === undefined && { fieldSelector: `metadata.name=${nodeName}` }),
    slim: viewNode,
    onChange({ kind, value }) {
      if (value.name === nodeName) options.onNode(kind === 'removed' ? undefined : value)
      else options.onPeer?.(value.name, kind === 'removed' ? [] : value.addresses)
    },
  })
  const ofServices = informer<Service, ServiceView | undefined>(client, services, {
    ...common,
    labelSelector: '!service.kubernetes.io/service-proxy-name',
    fieldSelector: 'spec.clusterIP!=None',
    slim: viewService,
    onChange: ({ kind, key, value }) => onService(options, key, kind === 'removed' ? undefined : value),
  })
  const ofSlices = informer<EndpointSlice, SliceView | undefined>(client, endpointSlices, {
    ...common,
    labelSelector: '!service.kubernetes.io/headless',
    slim: viewSlice,
    onChange: ({ kind, value, old }) =>
      onSlice(options, kind === 'removed' ? undefined : value, kind === 'removed' ? value : old),
  })
  const ofRanges = options.onServiceCidrs && observeServiceCidrs(options, options.onServiceCidrs)
  return { synced: Promise.all([ofNode.synced, ofServices.synced, ofSlices.synced, ofRanges]) }
}

/** Resolves when they are known, or known not to be there: before Kubernetes 1.33 a server had none, and its role no right. */
async function observeServiceCidrs(
  { client, log, signal }: ObserveOptions,
  onServiceCidrs: (cidrs: readonly string[]) => void,
): Promise<void> {
  const isServed = await client.list(serviceCidrs, { limit: 1, signal }).then(
    () => true,
    (error: unknown) => !(error instanceof ApiError && (error.httpStatus === 404 || error.httpStatus === 403)),
  )
  if (!isServed) return log.info('No ServiceCIDRs: traffic to unallocated ClusterIPs is not dropped')
  const ranges = new Map<string, readonly string[]>()
  await informer<ServiceCIDR, readonly string[]>(client, serviceCidrs, {
    signal,
    log,
    equal: equalJson,
    slim: ({ spec }) => (spec?.cidrs ?? []).flatMap((text) => canonicalCidr(text) ?? []),
    onChange({ kind, key, value }) {
      if (kind === 'removed') ranges.delete(key)
      else ranges.set(key, value)
      onServiceCidrs([...new Set([...ranges.values()].flat())].sort())
    },
  }).synced
}

function onService(options: ObserveOptions, key: string, view: ServiceView | undefined): void {
  options.services.setService(key, view)
  if (view !== undefined && view.problems.length > 0) {
    const [namespace = '', name = ''] = key.split('/')
    const about = { apiVersion: 'v1', kind: 'Service', namespace, name, uid: view.uid }
    tell(options, about, `Left out of the rules: ${view.problems.join('; ')}`)
  }
  options.onService(key, 'service')
}

function onSlice(options: ObserveOptions, view: SliceView | undefined, old: SliceView | undefined): void {
  if (old !== undefined && (view === undefined || view.service !== old.service)) {
    options.services.setSlice(old.service, old.name, undefined)
    options.onService(old.service, 'endpoints')
  }
  if (view === undefined) return
  options.services.setSlice(view.service, view.name, view)
  if (view.problems.length > 0) {
    const [namespace = ''] = view.service.split('/')
    const about = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      namespace,
      name: view.name,
      uid: view.uid,
    }
    tell(options, about, `Left out of the rules: ${view.problems.join('; ')}`)
  }
  options.onService(view.service, 'endpoints', view.changedAt)
}

type About = Readonly<Record<'apiVersion' | 'kind' | 'namespace' | 'name' | 'uid', string>>

function tell({ recorder, log }: ObserveOptions, about: About, message: string): void {
  log.warn(message, { [about.kind]: `${about.namespace}/${about.name}` })
  recorder.event(about, 'Warning', 'NotProgrammed', message)
}

// What is there before anyone asks: the namespaces of the system, and the Service `kubernetes` that leads to the server
// itself, with its endpoints. Kept right for as long as the server runs.

import { endpoints, namespaces, services, type Endpoints, type Namespace, type Service } from '#api/core.ts'
import { endpointSlices, type EndpointSlice } from '#api/discovery.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '#api/rbac.ts'
import { priorityClasses, type PriorityClass } from '#api/scheduling.ts'
import { StatusError } from '#api/status.ts'
import { equalJson } from '#lib/equal.ts'
import { ipFamily, isLoopback } from '#lib/ip.ts'
import type { Objects } from '#apiserver/kind.ts'
import { joinBindings, joinRoleBindings, joinRoles } from '#apiserver/rbac/join-objects.ts'
import { partBindings, partRoles } from '#apiserver/rbac/part-objects.ts'
import {
  defaultClusterRoleBindings,
  defaultClusterRoles,
  defaultNamespacedRoles,
  defaultRoleBindings,
  withMissingRules,
  withMissingSubjects,
} from '#apiserver/rbac/default-objects.ts'

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
const name = 'kubernetes'
const inDefault = { name, namespace: 'default' }

export type Itself = {
  /** where clients inside the cluster reach this server, and others on the same store */
  readonly addresses: readonly string[]
  readonly port: number
  /** the first address of the service range */
  readonly clusterIp: string
}

/** Priorities that pods of the system ask for by name. */
const systemPriorities: readonly PriorityClass[] = [
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'For pods that the cluster cannot do without, wherever they run.',
  },
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'For pods that a node cannot do without.',
  },
]

/** Makes what is missing and mends what is not as it should be. `serves` says whether there is such a resource. */
export async function bootstrap(
  objects: Objects,
  itself: Itself,
  serves: (resource: Resource) => boolean,
): Promise<void> {
  const asFound = <T>(found: T): T => found
  await Promise.all(
    systemNamespaces.map((namespace) =>
      ensure<Namespace>(objects, namespaces, '', namespace, { metadata: { name: namespace } }, asFound),
    ),
  )
  const priorities = serves(priorityClasses) ? systemPriorities : []
  await Promise.all([
    keepItself(objects, itself),
    ...priorities.map((wanted) => ensure(objects, priorityClasses, '', wanted.metadata!.name!, wanted, asFound)),
    ...(serves(clusterRoles) ? [ensureRoles(objects)] : []),
  ])
}

/** Without a role that is missing, with one that lacks rules, parts of the cluster could not work. */
async function ensureRoles(objects: Objects): Promise<void> {
  const each = <T extends ApiObject>(resource: Resource<T>, all: readonly T[], mend: (found: T, wanted: T) => T) =>
    all.map((wanted) => {
      const { name = '', namespace = '' } = wanted.metadata ?? {}
      return ensure(objects, resource, namespace, name, wanted, (found) => mend(found, wanted))
    })
  await Promise.all([
    ...each(clusterRoles, [...defaultClusterRoles(), ...partRoles], withMissingRules),
    ...each(
      clusterRoleBindings,
      [...defaultClusterRoleBindings(), ...joinBindings, ...partBindings],
      withMissingSubjects,
    ),
    ...each(roles, [...defaultNamespacedRoles(), ...joinRoles], withMissingRules),
    ...each(roleBindings, [...defaultRoleBindings(), ...joinRoleBindings], withMissingSubjects),
  ])
}

/** The Service `kubernetes` and its endpoints. */
export async function keepItself(objects: Objects, itself: Itself): Promise<void> {
  const service = serviceOf(itself)
  // The port leads here whatever someone wrote over it; the address was given for good.
  await ensure<Service>(objects, services, 'default', name, service, (found) => ({
    ...found,
    metadata: { ...found.metadata, labels: { ...found.metadata?.labels, ...service.metadata?.labels } },
    spec: { ...found.spec, ports: service.spec?.ports ?? [] },
  }))
  // A loopback address leads nobody here but this machine's own programs: no endpoint, and Kubernetes refuses it too.
  const reachable = { ...itself, addresses: itself.addresses.filter((address) => !isLoopback(address)) }
  if (reachable.addresses.length === 0) return
  const own = endpointsOf(reachable)
  const slice = sliceOf(reachable)
  await ensure<Endpoints>(objects, endpoints, 'default', name, own, (found) => ({
    ...found,
    metadata: { ...found.metadata, labels: { ...found.metadata?.labels, ...own.metadata?.labels } },
    subsets: own.subsets ?? [],
  }))
  await ensure<EndpointSlice>(objects, endpointSlices, 'default', name, slice, (found) => ({
    ...found,
    ...slice,
    metadata: found.metadata ?? {},
  }))
}

async function ensure<T extends ApiObject>(
  objects: Objects,
  resource: Resource<T>,
  namespace: string,
  objectName: string,
  wanted: T,
  mend: (found: T) => T,
): Promise<void> {
  const unchangedIfEqual = (found: T) => {
    const mended = mend(found)
    return equalJson(mended, found) ? found : mended
  }
  if ((await objects.change(resource, namespace, objectName, unchangedIfEqual)) !== undefined) return
  try {
    await objects.create(resource, wanted)
  } catch (error) {
    // Another server of the same cluster was faster.
    if (!(error instanceof StatusError) || error.status.reason !== 'AlreadyExists') throw error
  }
}

function serviceOf({ clusterIp, port }: Itself): Service {
  return {
    metadata: { ...inDefault, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterIp,
      clusterIPs: [clusterIp],
      ipFamilies: [`IPv${ipFamily(clusterIp) ?? 4}`],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }],
    },
  }
}

const endpointsOf = ({ addresses, port }: Itself): Endpoints => ({
  metadata: { ...inDefault, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
  subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports: [{ name: 'https', port, protocol: 'TCP' }] }],
})

const sliceOf = ({ addresses, port }: Itself): EndpointSlice => ({
  metadata: { ...inDefault, labels: { 'kubernetes.io/service-name': name } },
  addressType: `IPv${ipFamily(addresses[0]!) ?? 4}`,
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: 'https', port, protocol: 'TCP' }],
})

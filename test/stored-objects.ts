// Objects for tests, as a server stores them. Each builder takes only what the test is about.
import type { Deployment, ReplicaSet } from '#api/apps.ts'
import type { Node, Pod, Service } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { type Resource, apiVersionOf } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'

export const epochMs = Date.parse('2026-01-01T00:00:00Z')
/** The API's time at `seconds` after the tests' epoch. */
export const at = (seconds: number): string => new Date(epochMs + seconds * 1000).toISOString().replace('.000', '')

type Loose = { readonly [key: string]: unknown }

/** Metadata with everything that a server adds; the UID is made from the name. */
export function meta(name: string, more: Loose = {}): Stored['metadata'] {
  return {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: at(0),
    ...more,
  }
}

export const ownedBy = (resource: Resource, name: string) => [
  {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name,
    uid: `uid-${name}`,
    controller: true,
    blockOwnerDeletion: true,
  },
]

function object<T extends ApiObject>(name: string, metadata: Loose, rest: Loose): Stored<T> {
  return { metadata: meta(name, metadata), ...rest } as unknown as Stored<T>
}

export function pod(
  name: string,
  { metadata = {}, spec = {}, status = {} }: { metadata?: Loose; spec?: Loose; status?: Loose } = {},
): Stored<Pod> {
  return object(name, metadata, { spec: { containers: [{ name: 'main', image: 'pause' }], ...spec }, status })
}

/** A pod that runs on `node` with address `ip`, ready since `readySince` seconds; undefined: not ready. */
export function runningPod(
  name: string,
  node: string,
  ip: string,
  { readySince, ...more }: { readySince?: number; metadata?: Loose; spec?: Loose } = {},
): Stored<Pod> {
  const ready = {
    type: 'Ready',
    status: readySince === undefined ? 'False' : 'True',
    lastTransitionTime: at(readySince ?? 0),
  }
  return pod(name, {
    ...more,
    spec: { nodeName: node, ...more.spec },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [ready] },
  })
}

export function node(
  name: string,
  { metadata = {}, spec = {}, status = {} }: { metadata?: Loose; spec?: Loose; status?: Loose } = {},
): Stored<Node> {
  return object(name, { namespace: undefined, ...metadata }, { spec, status })
}

export function service(name: string, spec: Loose = {}, metadata: Loose = {}): Stored<Service> {
  const defaults = { type: 'ClusterIP', clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ipFamilies: ['IPv4'] }
  return object(name, metadata, { spec: { ...defaults, selector: { app: name }, ...spec } })
}

const template = (labels: Loose, image: string) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'main', image }] },
})

export function deployment(
  name: string,
  {
    metadata = {},
    spec = {},
    status = {},
    image = 'v1',
  }: { metadata?: Loose; spec?: Loose; status?: Loose; image?: string } = {},
): Stored<Deployment> {
  return object(name, metadata, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: template({ app: name }, image),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      ...spec,
    },
    status,
  })
}

export function replicaSet(
  name: string,
  {
    metadata = {},
    spec = {},
    status = {},
    image = 'v1',
    app = 'web',
  }: { metadata?: Loose; spec?: Loose; status?: Loose; image?: string; app?: string } = {},
): Stored<ReplicaSet> {
  const labels = { app, 'pod-template-hash': name.split('-').at(-1) }
  return object(
    name,
    { labels, ...metadata },
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      spec: { replicas: 3, selector: { matchLabels: labels }, template: template(labels, image), ...spec },
      status: { replicas: 0, ...status },
    },
  )
}

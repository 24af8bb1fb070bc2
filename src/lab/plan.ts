// A cluster as a value: which namespaces, links, addresses, routes and files it is made of. Nothing here acts; fabric.ts,
// credentials.ts and processes.ts make it true, and status, down, curl and exec find their way by it.
import { hostAt, parseCidr } from '#lib/cidr.ts'
import { toHex } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { parseIp } from '#lib/ip.ts'
import type { Cluster, NodePart } from '#lab/cluster.ts'
import { type ClusterOptions, outsideCidr } from '#lab/options.ts'
import type { Expected } from '#lab/readiness.ts'

/** The folders of one cluster. */
export type Paths = {
  /** What a restart needs: objects, keys, logs, the nodes' own state. */
  readonly state: string
  /** A file system of its own in memory: pinned namespaces, process files. */
  readonly runtime: string
  readonly pki: string
  readonly logs: string
  readonly processes: string
  /** imported images, for all nodes */
  readonly images: string
  /** The administrator's. */
  readonly kubeconfig: string
  readonly store: string
  /** What it was made with, and its nodes. */
  readonly cluster: string
}

/** A network of the fabric: a bridge with the router's address. `far` is the second half of the nodes' network. */
export type Segment = {
  readonly name: 'lan' | 'far' | 'outside'
  readonly gateway: string
  readonly prefix: number
}

/** A computer of the cluster, which is a bundle of namespaces with one interface, eth0. */
export type Host = {
  readonly name: string
  readonly role: 'control-plane' | 'node' | 'balancer' | 'client'
  readonly segment: Segment['name']
  readonly ip: string
  readonly mac: string
  /** Paths of the pins. A node has all three, the others only a network. */
  readonly namespaces: { readonly net: string; readonly mount?: string; readonly uts?: string }
  /** The same network namespace as `ip netns` knows it. */
  readonly netnsName: string
  /** Its end of the cable at the router. */
  readonly link: string
  /** Of a node: those that shall run. */
  readonly parts: readonly NodePart[]
}

export type ClusterPlan = {
  readonly cluster: Cluster
  readonly options: ClusterOptions
  readonly paths: Paths
  readonly router: { readonly netns: string; readonly netnsName: string; readonly segments: readonly Segment[] }
  /** All that have power. */
  readonly hosts: readonly Host[]
  /** The end of a cable in the machine itself, which makes the nodes reachable from there. */
  readonly uplink: { readonly link: string; readonly ip: string; readonly prefix: number; readonly mac: string }
}

/** Where all clusters of a machine live; tests put them elsewhere. */
export type Roots = { readonly state: string; readonly runtime: string; readonly netns: string }
export const defaultRoots: Roots = { state: '/var/lib/fairway', runtime: '/run/fairway', netns: '/run/netns' }

/** Places in the nodes' network, with one subnet and with two. */
const places = {
  1: { controlPlane: 250, balancer: 249, uplink: 254, pool: [200, 239] },
  2: { controlPlane: 125, balancer: 124, uplink: 126, pool: [80, 119] },
} as const
const farPlace = 128
export const apiServerPort = 6443

export function planCluster(cluster: Cluster, roots: Roots = defaultRoots): ClusterPlan {
  const { options, members } = cluster
  const paths = planPaths(options.name, roots)
  const lan = parseCidr(options.lanCidr)!
  const outside = parseCidr(outsideCidr)!
  const namespaces = `${paths.runtime}/namespaces`
  const isSplit = options.subnets === 2
  const { controlPlane, balancer, uplink } = places[isSplit ? 2 : 1]
  const segmentPrefix = lan.prefix + (isSplit ? 1 : 0)
  const host = (
    name: string,
    role: Host['role'],
    segment: Segment['name'],
    ip: string,
    parts: readonly NodePart[] = [],
  ): Host => ({
    name,
    role,
    segment,
    ip,
    parts,
    mac: macOf(ip),
    link: linkName(name),
    namespaces: {
      net: `${namespaces}/${name}.net`,
      ...(role === 'node' && { mount: `${namespaces}/${name}.mnt`, uts: `${namespaces}/${name}.uts` }),
    },
    netnsName: `${options.name}-${name}`,
  })
  return {
    cluster,
    options,
    paths,
    router: {
      netns: `${namespaces}/fabric.net`,
      netnsName: `${options.name}-fabric`,
      segments: [
        { name: 'lan', gateway: hostAt(lan, 1), prefix: segmentPrefix },
        ...(isSplit ? [{ name: 'far' as const, gateway: hostAt(lan, farPlace + 1), prefix: segmentPrefix }] : []),
        { name: 'outside', gateway: hostAt(outside, 1), prefix: outside.prefix },
      ],
    },
    hosts: [
      host('control-plane', 'control-plane', 'lan', hostAt(lan, controlPlane)),
      ...(options.loadBalancer === 'appliance' ? [host('balancer', 'balancer', 'lan', hostAt(lan, balancer))] : []),
      ...members
        .filter(({ power }) => power === 'on')
        .map(({ name, place, parts }) =>
          isSplit && place % 2 === 1
            ? host(name, 'node', 'far', hostAt(lan, farPlace + place), parts)
            : host(name, 'node', 'lan', hostAt(lan, place), parts),
        ),
      host('client', 'client', 'outside', hostAt(outside, 10)),
    ],
    uplink: {
      link: uplinkOf(options.name),
      ip: hostAt(lan, uplink),
      prefix: lan.prefix,
      mac: macOf(hostAt(lan, uplink)),
    },
  }
}

export function planPaths(name: string, roots: Roots = defaultRoots): Paths {
  const state = `${roots.state}/${name}`
  const runtime = `${roots.runtime}/${name}`
  return {
    state,
    runtime,
    pki: `${state}/pki`,
    logs: `${state}/logs`,
    processes: `${runtime}/processes`,
    images: `${state}/images`,
    kubeconfig: `${state}/kubeconfig`,
    store: `${state}/store.db`,
    cluster: `${state}/cluster.json`,
  }
}

/** What shall be ready while all that have power run. */
export const expectedOf = (plan: ClusterPlan): Expected => ({
  nodes: nodesWithAgent(plan),
  balancer: plan.options.loadBalancer === 'none' ? undefined : `fairway/${plan.options.loadBalancer}`,
})

/** The addresses for load balancers, in the first network of the nodes; undefined where nobody makes any. */
export function addressPoolOf({ options }: ClusterPlan): string | undefined {
  if (options.loadBalancer === 'none') return undefined
  const lan = parseCidr(options.lanCidr)!
  const [first, last] = places[options.subnets === 2 ? 2 : 1].pool
  return `${hostAt(lan, first)}-${hostAt(lan, last)}`
}

/** The pool, where the nodes themselves answer for it. */
export const announcedPoolOf = (plan: ClusterPlan): string | undefined =>
  plan.options.loadBalancer === 'pool' ? addressPoolOf(plan) : undefined

export const segmentOf = (plan: ClusterPlan, host: Host): Segment =>
  plan.router.segments.find(({ name }) => name === host.segment)!

export const hostNamed = (plan: ClusterPlan, name: string): Host | undefined =>
  plan.hosts.find((host) => host.name === name)

export const nodesOf = (plan: ClusterPlan): readonly Host[] => plan.hosts.filter(({ role }) => role === 'node')

/** Names of the nodes that shall be ready. */
export const nodesWithAgent = (plan: ClusterPlan): readonly string[] =>
  nodesOf(plan).flatMap(({ name, parts }) => (parts.includes('agent') ? name : []))

export const apiServerOf = (plan: ClusterPlan): { readonly ip: string; readonly url: string } => {
  const { ip } = plan.hosts.find(({ role }) => role === 'control-plane')!
  return { ip, url: `https://${ip}:${apiServerPort}` }
}

/** The same address always has the same hardware address, so that no neighbour table is ever stale. */
const macOf = (ip: string): string =>
  ['0a', '58', ...Array.from(parseIp(ip)!, (byte) => toHex(Uint8Array.of(byte)))].join(':')

/** The link that a cluster has in the machine itself. */
export const uplinkOf = (cluster: string): string => linkName(`fw-${cluster}`)

/** Interface names have 15 characters at most. */
const linkName = (name: string): string =>
  name.length <= 15 ? name : `${name.slice(0, 8)}-${toHex(sha256(name)).slice(0, 6)}`

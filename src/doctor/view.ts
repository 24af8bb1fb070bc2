// What is known of a cluster, as the checks ask for it: objects by kind, nodes with their machines, Services with whoever
// stands behind them. What a snapshot does not hold is undefined here, never empty.

import type { ConfigMap, Namespace, Node, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { NetworkPolicy } from '#api/networking.ts'
import type { ListeningSocket } from '#kernel/dump/sockets.ts'
import { type ClusterObjects, readClusterObjects } from '#doctor/cluster-objects.ts'
import { manifestsOf } from '#doctor/snapshot/snapshot.ts'
import { slicesOfEndpoints, slicesOfPods } from '#doctor/expect/derived-slices.ts'
import { type Cidr, parseCidr } from '#lib/cidr.ts'
import { canonicalIp, type Ip } from '#lib/ip.ts'
import { addressesOf, emptyMachine, type Machine } from '#trace/machine.ts'
import { nameReportFiles } from '#trace/read/node-reports.ts'
import { namePodFiles } from '#trace/read/pod-namespaces.ts'
import { type Input, readWorld, unnamed } from '#trace/read/read-world.ts'
import { podIps, type World } from '#trace/world.ts'

export type NodeView = {
  readonly name: string
  readonly machine: Machine
  /** undefined: nobody gave the Node */
  readonly node?: Node
  readonly ips: readonly Ip[]
  readonly podCidrs: readonly Cidr[]
  /** undefined: nobody looked */
  readonly sockets?: readonly ListeningSocket[]
  /** other files about it, by their last name: `resolv.conf`, `proxy-healthz.json`, `ethtool.txt` */
  readonly texts: ReadonlyMap<string, string>
}

export type View = {
  readonly world: World
  readonly nodes: readonly NodeView[]
  /** undefined: nobody gave any */
  readonly services?: readonly Service[]
  readonly slices?: readonly EndpointSlice[]
  /** where nobody gave EndpointSlices: what they were derived from */
  readonly slicesFrom?: 'Endpoints' | 'pods'
  readonly pods?: readonly Pod[]
  readonly podSockets: ReadonlyMap<string, readonly ListeningSocket[]>
  readonly podTexts: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly policies: readonly NetworkPolicy[]
  readonly namespaces: readonly Namespace[]
  readonly configMaps: readonly ConfigMap[]
  /** what could not be read */
  readonly problems: readonly string[]
  /** what whoever made the snapshot could not collect, and why */
  readonly gaps: readonly string[]
  /** milliseconds of the epoch; undefined: nobody says when it was taken */
  readonly takenAtMs?: number
  /** kinds of objects that there are lists of */
  readonly kinds: ReadonlySet<string>
}

export const usesIpvs = ({ machine }: NodeView): boolean => (machine.virtualServers?.length ?? 0) > 0

type Metadata = { readonly name?: string; readonly namespace?: string }

export const keyOf = ({ metadata }: { readonly metadata?: Metadata | undefined }): string =>
  `${metadata?.namespace ?? 'default'}/${metadata?.name ?? ''}`

export function readView(given: readonly Input[]): View {
  const files = namePodFiles(nameReportFiles(given))
  const read = readWorld(files)
  const objects = readClusterObjects(files)
  const [services, pods] = [objects.of('Service'), objects.of('Pod')]
  const derived = derivedSlices(objects)
  const slices = objects.of('EndpointSlice') ?? derived?.slices
  const world: World = {
    ...read.world,
    objects: {
      services: services ?? [],
      pods: pods ?? [],
      endpointSlices: slices ?? [],
      nodes: objects.of('Node') ?? [],
    },
  }
  const facts = factsByOwner(files)
  const manifests = manifestsOf(given)
  const taken = manifests.map(({ made = '' }) => Date.parse(made)).filter((ms) => !Number.isNaN(ms))
  return {
    world,
    nodes: [...world.machines, ...unseenMachines(world)].map((machine) =>
      viewNode(machine, world, facts.get(`nodes/${machine.name}`)),
    ),
    ...(services !== undefined && { services }),
    ...(slices !== undefined && { slices }),
    ...(derived !== undefined && { slicesFrom: derived.from }),
    ...(pods !== undefined && { pods }),
    podSockets: socketsOfPods(world),
    podTexts: new Map(
      [...facts].filter(([owner]) => owner.startsWith('pods/')).map(([owner, some]) => [owner.slice(5), some]),
    ),
    policies: objects.of('NetworkPolicy') ?? [],
    namespaces: objects.of('Namespace') ?? [],
    configMaps: objects.of('ConfigMap') ?? [],
    problems: [...read.problems, ...objects.problems],
    gaps: [...new Set(manifests.flatMap((one) => one.gaps ?? []))],
    ...(taken.length > 0 && { takenAtMs: Math.max(...taken) }),
    kinds: objects.kinds,
  }
}

type Derived = { readonly slices: readonly EndpointSlice[]; readonly from: 'Endpoints' | 'pods' }

function derivedSlices(objects: ClusterObjects): Derived | undefined {
  const [services, pods, endpoints] = [objects.of('Service'), objects.of('Pod'), objects.of('Endpoints')]
  if (objects.of('EndpointSlice') !== undefined) return undefined
  if (endpoints !== undefined) return { slices: slicesOfEndpoints(endpoints), from: 'Endpoints' }
  return services === undefined || pods === undefined
    ? undefined
    : { slices: slicesOfPods(services, pods), from: 'pods' }
}

/** Nodes of which only the object is known. */
const unseenMachines = ({ machines, objects }: World): readonly Machine[] => {
  const known = new Set(machines.map(({ name }) => name))
  return objects.nodes.flatMap(({ metadata }) =>
    metadata?.name === undefined || known.has(metadata.name) ? [] : [emptyMachine(metadata.name)],
  )
}

type Facts = ReadonlyMap<string, ReadonlyMap<string, string>>

/** Texts that only the doctor reads, by `nodes/NAME` or `pods/NAMESPACE/NAME` and their last name. */
function factsByOwner(files: readonly Input[]): Facts {
  const owners = new Map<string, Map<string, string>>()
  for (const { file, text } of files) {
    const match = /(?:^|\/)(nodes\/[^/]+|pods\/[^/]+\/[^/]+)\/([^/]+)$/.exec(file)
    const owner = match?.[1] ?? `nodes/${unnamed}`
    const texts = owners.get(owner) ?? new Map<string, string>()
    texts.set(match?.[2] ?? file.split('/').at(-1)!, text)
    owners.set(owner, texts)
  }
  return owners
}

/** Undefined where not both protocols were looked at. */
const socketsOf = ({ sockets: { tcp, udp } = {} }: Machine): readonly ListeningSocket[] | undefined =>
  tcp === undefined || udp === undefined ? undefined : [...tcp, ...udp]

const socketsOfPods = ({ podMachines = new Map() }: World): View['podSockets'] =>
  new Map(
    [...podMachines].flatMap(([name, machine]) => {
      const sockets = socketsOf(machine)
      return sockets === undefined ? [] : [[name, sockets] as const]
    }),
  )

function viewNode(machine: Machine, world: World, texts: ReadonlyMap<string, string> = new Map()): NodeView {
  const node = world.objects.nodes.find(({ metadata }) => metadata?.name === machine.name)
  const known = (node?.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP')
    .flatMap(({ address }) => canonicalIp(address ?? '') ?? [])
  const own = [...(addressesOf(machine) ?? [])]
  const cidrs = node?.spec?.podCIDRs ?? (node?.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])
  const sockets = socketsOf(machine)
  return {
    name: machine.name,
    machine,
    ...(node !== undefined && { node }),
    ips: known.length > 0 ? known : own,
    podCidrs: cidrs.flatMap((text) => parseCidr(text) ?? []),
    ...(sockets !== undefined && { sockets }),
    texts,
  }
}

/** The pod that has an address. Built once for each view. */
export function podsByIp(view: View): ReadonlyMap<Ip, Pod> {
  const known = podIndexes.get(view)
  if (known !== undefined) return known
  const made = new Map(
    (view.pods ?? [])
      .filter(
        ({ spec, status }) => spec?.hostNetwork !== true && status?.phase !== 'Succeeded' && status?.phase !== 'Failed',
      )
      .flatMap((pod) => podIps(pod).map((ip) => [ip, pod] as const)),
  )
  podIndexes.set(view, made)
  return made
}
const podIndexes = new WeakMap<View, ReadonlyMap<Ip, Pod>>()

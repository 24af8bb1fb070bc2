// What is known of a cluster, as the checks ask for it: objects by kind, nodes with their machines, Services with whoever
// stands behind them. What a snapshot does not hold is undefined here, never empty.

import type { ConfigMap, Namespace, Node, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { NetworkPolicy } from '#api/networking.ts'
import { type ListeningSocket, parseSockets } from '#kernel/dump/sockets.ts'
import { type Cidr, parseCidr } from '#lib/cidr.ts'
import { canonicalIp, type Ip } from '#lib/ip.ts'
import { addressesOf, emptyMachine, type Machine } from '#trace/machine.ts'
import { identify } from '#trace/read/identify.ts'
import { readObjects } from '#trace/read/objects.ts'
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
  readonly pods?: readonly Pod[]
  readonly podSockets: ReadonlyMap<string, readonly ListeningSocket[]>
  readonly podTexts: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly policies: readonly NetworkPolicy[]
  readonly namespaces: readonly Namespace[]
  readonly configMaps: readonly ConfigMap[]
  /** what could not be read */
  readonly problems: readonly string[]
  /** kinds of objects that there are lists of */
  readonly kinds: ReadonlySet<string>
}

type Metadata = { readonly name?: string; readonly namespace?: string }
type Named = { readonly kind?: string; readonly metadata?: Metadata }

export const keyOf = ({ metadata }: { readonly metadata?: Metadata | undefined }): string =>
  `${metadata?.namespace ?? 'default'}/${metadata?.name ?? ''}`

export function readView(files: readonly Input[]): View {
  const { world, problems } = readWorld(files)
  const texts = files.map((input) => ({ ...input, kind: identify(input.text, input.file) }))
  const objects = texts.flatMap(({ kind, text }) => {
    const read = kind === 'objects' ? readObjects(text) : []
    return typeof read === 'string' ? [] : (read as readonly Named[])
  })
  // An empty list still says that there are none.
  const listed = texts.flatMap(({ kind, text }) =>
    kind === 'objects' ? [...text.slice(0, 2000).matchAll(/"kind"\s*:\s*"(\w+)List"/g)].map(([, one]) => one!) : [],
  )
  const kinds = new Set([...objects.flatMap(({ kind }) => kind ?? []), ...listed])
  const of = <T>(kind: string): readonly T[] => [
    ...new Map(objects.filter((item) => item.kind === kind).map((item) => [keyOf(item), item as T])).values(),
  ]
  const facts = factsByOwner(files)
  return {
    world,
    nodes: [...world.machines, ...unseenMachines(world)].map((machine) =>
      viewNode(machine, world, facts.get(`nodes/${machine.name}`)),
    ),
    ...(kinds.has('Service') && { services: world.objects.services }),
    ...(kinds.has('EndpointSlice') && { slices: world.objects.endpointSlices }),
    ...(kinds.has('Pod') && { pods: world.objects.pods }),
    podSockets: socketsOfPods(facts),
    podTexts: new Map(
      [...facts].filter(([owner]) => owner.startsWith('pods/')).map(([owner, some]) => [owner.slice(5), some]),
    ),
    policies: of('NetworkPolicy'),
    namespaces: of('Namespace'),
    configMaps: of('ConfigMap'),
    problems,
    kinds,
  }
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

const socketsOfPods = (facts: Facts): ReadonlyMap<string, readonly ListeningSocket[]> =>
  new Map(
    [...facts].flatMap(([owner, texts]) => {
      const sockets = owner.startsWith('pods/') ? texts.get('sockets.txt') : undefined
      return sockets === undefined ? [] : [[owner.slice('pods/'.length), parseSockets(sockets).value] as const]
    }),
  )

function viewNode(machine: Machine, world: World, texts: ReadonlyMap<string, string> = new Map()): NodeView {
  const node = world.objects.nodes.find(({ metadata }) => metadata?.name === machine.name)
  const known = (node?.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP')
    .flatMap(({ address }) => canonicalIp(address ?? '') ?? [])
  const own = [...(addressesOf(machine) ?? [])]
  const cidrs = node?.spec?.podCIDRs ?? (node?.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])
  const sockets = texts.get('sockets.txt')
  return {
    name: machine.name,
    machine,
    ...(node !== undefined && { node }),
    ips: known.length > 0 ? known : own,
    podCidrs: cidrs.flatMap((text) => parseCidr(text) ?? []),
    ...(sockets !== undefined && { sockets: parseSockets(sockets).value }),
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

// The machines that are known, what the API says of pods, nodes and Services, and who has which address.

import type { EndpointSlice } from '#api/discovery.ts'
import type { Node, Pod, Service } from '#api/core.ts'
import { canonicalIp } from '#lib/ip.ts'
import { addressesOf, emptyMachine, type Machine } from '#trace/machine.ts'
import { rangeHas } from '#trace/ranges.ts'

export type Objects = {
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly nodes: readonly Node[]
}

export const noObjects: Objects = { pods: [], services: [], endpointSlices: [], nodes: [] }

export type World = {
  /** nodes, and what else stands on the LAN of the nodes */
  readonly machines: readonly Machine[]
  /** namespaces of pods that were dumped themselves, by `NAMESPACE/NAME` */
  readonly podMachines?: ReadonlyMap<string, Machine>
  readonly objects: Objects
}

/** Where somebody stands. */
export type Standing =
  | { readonly kind: 'machine'; readonly machine: Machine }
  /** behind an interface of a machine: a pod */
  | {
      readonly kind: 'behind'
      readonly machine: Machine
      readonly device: string | undefined
      readonly label: string
      readonly own: Machine
    }
  | { readonly kind: 'outside' }

export const podName = (pod: Pod): string => `${pod.metadata?.namespace ?? 'default'}/${pod.metadata?.name ?? ''}`
export const podLabel = (pod: Pod): string => `pod/${podName(pod).replace(/^default\//, '')}`

/** In canonical text, whatever the object has. */
export const podIps = ({ status }: Pod): readonly string[] => {
  const all = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)].map((ip) => canonicalIp(ip ?? ''))
  return [...new Set(all.filter((ip) => ip !== undefined))]
}

const isGone = (pod: Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

/** The pod that has an address of its own; none for pods on the network of their node. */
export const podAt = (world: World, ip: string): Pod | undefined =>
  world.objects.pods.find((pod) => pod.spec?.hostNetwork !== true && !isGone(pod) && podIps(pod).includes(ip))

export const machineNamed = (world: World, name: string | undefined): Machine | undefined =>
  world.machines.find((machine) => machine.name === name)

/** The machine that has an address on one of its interfaces (not only for itself, as virtual IPs of IPVS). */
export const machineAt = (world: World, ip: string): Machine | undefined =>
  world.machines.find((machine) =>
    machine.links?.some(
      (link) =>
        link.kind !== 'dummy' && link.name !== 'kube-ipvs0' && link.addresses?.some((address) => address.ip === ip),
    ),
  ) ?? world.machines.find((machine) => nodeHas(world, machine, ip))

function nodeHas(world: World, machine: Machine, ip: string): boolean {
  if (addressesOf(machine) !== undefined) return false
  const node = world.objects.nodes.find(({ metadata }) => metadata?.name === machine.name)
  return node?.status?.addresses?.some(({ address }) => address === ip) ?? false
}

/** Where the one with this address stands. */
export function standingOf(world: World, ip: string): Standing {
  const machine = machineAt(world, ip)
  if (machine !== undefined) return { kind: 'machine', machine }
  const pod = podAt(world, ip)
  const node = pod && machineNamed(world, pod.spec?.nodeName)
  if (pod !== undefined && node !== undefined)
    return {
      kind: 'behind',
      machine: node,
      device: deviceTowards(node, ip),
      label: podLabel(pod),
      own: podMachine(world, pod, ip, node),
    }
  return behindOnly(world, ip) ?? { kind: 'outside' }
}

/** Without a pod's object: the one machine that has the address on a network of its own. */
function behindOnly(world: World, ip: string): Standing | undefined {
  const found = world.machines.flatMap((machine) => {
    const near = connectedTo(machine, ip)
    return near === undefined ? [] : [{ machine, ...near }]
  })
  const longest = Math.max(...found.map(({ length }) => length))
  const [first, ...others] = found.filter(({ length }) => length === longest)
  if (
    first === undefined ||
    others.length > 0 ||
    (world.machines.length === 1 && isUplink(first.machine, first.device))
  )
    return undefined
  const own = implicitMachine(ip, ip, first.length)
  return { kind: 'behind', machine: first.machine, device: first.device, label: ip, own }
}

/** The interface that the default route leaves by: the LAN, where others live than one's own pods. */
const isUplink = (machine: Machine, device: string) =>
  machine.routes?.some(
    (route) => /^(0\.0\.0\.0|::)\/0$|^default$/.test(route.destination) && route.device === device,
  ) ?? false

function connectedTo(machine: Machine, ip: string): { readonly device: string; readonly length: number } | undefined {
  const routes = (machine.routes ?? [])
    .filter(
      (route) =>
        route.type === 'unicast' && route.via === undefined && route.device !== undefined && route.hops === undefined,
    )
    .map((route) => ({
      device: route.device!,
      length: Number(route.destination.split('/')[1] ?? 0),
      range: route.destination,
    }))
  const links = (machine.links ?? []).flatMap((link) =>
    (link.addresses ?? []).map(({ ip: own, prefix }) => ({
      device: link.name,
      length: prefix,
      range: `${own}/${prefix}`,
    })),
  )
  return [...routes, ...links]
    .filter(({ range, length, device }) => length > 0 && device !== 'lo' && rangeHas(range, ip) === true)
    .toSorted((a, b) => b.length - a.length)[0]
}

export const deviceTowards = (machine: Machine, ip: string): string | undefined => connectedTo(machine, ip)?.device

function podMachine(world: World, pod: Pod, ip: string, node: Machine): Machine {
  const known = world.podMachines?.get(podName(pod))
  if (known?.links !== undefined && known.routes !== undefined) return known
  const length = connectedTo(node, ip)?.length ?? (ip.includes(':') ? 128 : 32)
  return { ...implicitMachine(podLabel(pod), ip, length), ...known }
}

/** A pod of which nothing is known but its address: one interface, no rules. */
function implicitMachine(name: string, ip: string, prefix: number): Machine {
  return {
    ...emptyMachine(name),
    links: [
      { index: 1, name: 'lo', mtu: 65_536, up: true, carrier: true, loopback: true, addresses: [] },
      {
        index: 2,
        name: 'eth0',
        mtu: 0,
        up: true,
        carrier: true,
        loopback: false,
        addresses: [{ ip, prefix, scope: 'global' }],
      },
    ],
    routes: [
      ...(prefix < 32 || (ip.includes(':') && prefix < 128)
        ? [
            {
              destination: networkOf(ip, prefix),
              type: 'unicast',
              device: 'eth0',
              source: ip,
              metric: 0,
              table: 'main',
              onlink: false,
              dead: false,
            },
          ]
        : []),
      {
        destination: ip.includes(':') ? '::/0' : '0.0.0.0/0',
        type: 'unicast',
        via: gateway,
        device: 'eth0',
        metric: 0,
        table: 'main',
        onlink: true,
        dead: false,
      },
    ],
  }
}

/** The next hop of a pod whose routes are not known: the node that it lives on. */
export const gateway = 'its node'

const networkOf = (ip: string, prefix: number): string => `${ip}/${prefix}`

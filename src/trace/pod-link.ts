// Between a pod and its node: by a port of a bridge that it shares with its neighbours, or by an interface of its own.

import { isBridge, type Port, portOf } from '#trace/bridge.ts'
import { deviceSetting } from '#kernel/dump/sysctl.ts'
import type { Machine } from '#trace/machine.ts'
import {
  arrived,
  type Move,
  movesOf,
  type OnLink,
  onMachine,
  type PodStanding,
  stops,
  unanswered,
  type Walk,
} from '#trace/move.ts'
import { familyOf } from '#trace/packet.ts'
import { passPort } from '#trace/port-rules.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import type { Entry } from '#trace/walk-machine.ts'
import { fork, type Matched, no, type Way, withStep, yes } from '#trace/way.ts'
import { gateway } from '#trace/world.ts'

/** What a pod sends comes to its node, or stays on the bridge. */
export function fromPod(walk: Walk, pod: PodStanding, via: string, way: Way): readonly Move[] {
  const { machine: node, device } = pod
  const isForNode =
    via === gateway || (node.links?.some((link) => link.addresses?.some(({ ip }) => ip === via)) ?? false)
  if (device === undefined || !isBridge(node, device)) return fromOwnLink(pod, isForNode, via, way)
  const port = portOf(node, device, pod.own, way.packet.source)
  const at = onMachine(node)
  const throughPort = (from: Way, isForItself: boolean, next: (way: Way) => readonly Move[]) =>
    movesOf(at, passPort(node, from, { bridge: device, in: port.name, isForItself }, walk), next)
  const enter = (entry: Entry, from: Way) =>
    throughPort(from, entry.kind === 'arrives', (passed) => [{ kind: 'enters', at, entry, way: passed }])
  const name = `bridge-nf-call-ip${familyOf(way.packet) === 6 ? '6' : ''}tables`
  const setting = node.sysctls?.get(`net.bridge.${name}`)
  if (isForNode) return enter({ kind: 'arrives', device, ...(setting === '1' && { bridgePort: port.name }) }, way)
  const condition = `net.bridge.${name} is 1 on ${node.name}`
  return fork<Move>(
    way,
    setting === undefined ? { kind: 'maybe', condition, missing: 'sysctl -a' } : setting === '1' ? yes : no(''),
    (seen) => enter({ kind: 'bridged', device, bridgePort: port.name }, seen),
    (unseen) => {
      const effect = `${device} carries it from port to port, past all rules: net.bridge.${name} is not 1`
      const carried = withStep(unseen, { machine: node.name, place: 'bridge', matched: [], effect, weight: 'act' })
      return throughPort(carried, false, (passed) => [
        { kind: 'on link', machine: node, device, via, way: passed, carriedFrom: port.name },
      ])
    },
  )
}

/** Its node must answer for everybody else whom the pod takes for a neighbour. */
function fromOwnLink(pod: PodStanding, isForNode: boolean, via: string, way: Way): readonly Move[] {
  const { machine: node, device, own } = pod
  const enter = (next: Way): readonly Move[] => [
    { kind: 'enters', at: onMachine(node), entry: { kind: 'arrives', device }, way: next },
  ]
  const isKnown = own.neighbours?.some(({ ip, mac }) => ip === via && mac !== undefined) ?? false
  if (device === undefined || isForNode || isKnown) return enter(way)
  return fork<Move>(way, answersFor(node, device, way.packet.source, via), enter, (left, why) => [
    unanswered(left, pod, 'eth0', via, `: ${why}`),
  ])
}

/** Whether a machine answers on an interface for an address elsewhere (net/ipv4/arp.c, arp_process). */
function answersFor(machine: Machine, device: string, asker: string, wanted: string): Matched {
  // Which kind of interface it is must be known: others may answer on a bridge.
  if (wanted.includes(':') || machine.links?.find(({ name }) => name === device)?.kind === undefined) return yes
  const { sysctls, name } = machine
  if (sysctls === undefined)
    return { kind: 'maybe', condition: `net.ipv4.conf.${device}.proxy_arp is 1 on ${name}`, missing: 'sysctl -a' }
  if (deviceSetting(sysctls, 4, device, 'proxy_arp') !== 1 && deviceSetting(sysctls, 4, 'all', 'proxy_arp') !== 1)
    return no(`net.ipv4.conf.${device}.proxy_arp is 0 on ${name}`)
  const query = { family: 4, destination: wanted, source: asker, mark: 0, incoming: device } as const
  const [choice] = lookupRoute(machine, { ...query, protocol: 'arp', sourcePort: 0, destinationPort: 0 })
  if (choice?.routed.kind === 'unknown') return yes
  if (choice?.routed.kind !== 'forward') return no(`${name} has no route there for ${asker}`)
  return choice.routed.device === device ? no(`${name} would send it back by ${device}`) : yes
}

/** From its node, or carried from another port of the bridge. */
export function toPod(walk: Walk, pod: PodStanding, { way, device, carriedFrom }: OnLink): readonly Move[] {
  const { machine } = pod
  const from = way.packet.bridgePort
  const inside = (next: Way): readonly Move[] => [
    { kind: 'enters', at: pod, entry: { kind: 'arrives', device: 'eth0' }, way: arrived(next) },
  ]
  if (!isBridge(machine, device)) return inside(way)
  const port = portOf(machine, device, pod.own, way.packet.destination)
  // From port to port, or from the machine itself.
  const isForwarded =
    carriedFrom !== undefined || (from !== undefined && way.packet.connection?.destinationNat === undefined)
  const cameBy = carriedFrom ?? from
  const ports = { bridge: device, out: port.name, isForwarded, ...(cameBy !== undefined && { in: cameBy }) }
  const enter = (next: Way) => movesOf(onMachine(machine), passPort(machine, next, ports, walk), inside)
  return way.packet.inInterface === device && port.name === from
    ? throughHairpin(machine, port, way, enter)
    : enter(way)
}

/** Back by the port of the bridge that it came in by. */
function throughHairpin(
  machine: Machine,
  { name, hairpin }: Port,
  way: Way,
  enter: (way: Way) => readonly Move[],
): readonly Move[] {
  const condition = `hairpin_mode of ${name} on ${machine.name} is 1`
  const question: Matched =
    hairpin === undefined ? { kind: 'maybe', condition, missing: 'ip -d link' } : hairpin ? yes : no('')
  return fork<Move>(way, question, enter, (left) => {
    const why = `hairpin_mode of ${name} is off: a bridge sends nothing back by the port that it came from`
    return [stops(left, onMachine(machine), 'bridge', `dropped: ${why}`, { kind: 'drop', why })]
  })
}

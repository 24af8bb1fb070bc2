// One packet from machine to machine, until somebody has it or something ends its way.

import { isBridge, portOf, type Port } from '#trace/bridge.ts'
import type { Budget } from '#trace/chain/chain.ts'
import type { Machine } from '#trace/machine.ts'
import { type Listener, listenerOn } from '#trace/listener.ts'
import type { Connection, Packet } from '#trace/packet.ts'
import { rangeHas } from '#trace/ranges.ts'
import { passPort } from '#trace/port-rules.ts'
import { isTunnel, tunnelEnd } from '#trace/tunnel.ts'
import { type Entry, type Exit, fork, walkMachine } from '#trace/walk-machine.ts'
import { type End, lacks, type Passed, type Way, withPacket, withStep } from '#trace/way.ts'
import { gateway, machineAt, machineNamed, podAt, type Standing, standingOf, type World } from '#trace/world.ts'

export type Outcome =
  /** a process has it: of a pod, or of a machine itself */
  | { readonly kind: 'delivered'; readonly to: string; readonly standing: Known; readonly listener: Listener }
  /** it leaves what is known */
  | { readonly kind: 'left'; readonly machine: string; readonly device: string; readonly via: string }
  /** it goes on, but the inputs do not tell by which interface */
  | { readonly kind: 'sent'; readonly machine: string }
  | { readonly kind: 'ended'; readonly machine: string; readonly end: End; readonly standing: Known }

export type Known = Exclude<Standing, { kind: 'outside' }>

export type Final = { readonly way: Way; readonly outcome: Outcome }

export type Walk = { readonly world: World; readonly budget: Budget; readonly all: boolean }

/** How many machines a packet may come through: its time to live. */
const mostHops = 16

/** A packet that somebody sends. */
export function walkFrom(walk: Walk, standing: Standing, way: Way): readonly Final[] {
  if (standing.kind === 'outside') throw new Error('who sends from outside enters somewhere: walkInto')
  const machine = standing.kind === 'machine' ? standing.machine : standing.own
  return onExits(walk, standing, walkMachine(machine, way, { kind: 'made' }, walk), 0)
}

/** Into a pod, by its own interface, past all that its node does. */
export function walkStraight(walk: Walk, pod: Extract<Known, { kind: 'behind' }>, way: Way): readonly Final[] {
  return onExits(walk, pod, walkMachine(pod.own, arrived(way), { kind: 'arrives', device: 'eth0' }, walk), 0)
}

/** A packet that comes to a machine from outside what is known. */
export function walkInto(walk: Walk, machine: Machine, device: string | undefined, way: Way): readonly Final[] {
  const exits = walkMachine(machine, way, { kind: 'arrives', device }, walk)
  return onExits(walk, { kind: 'machine', machine }, exits, 0)
}

function onExits(walk: Walk, at: Known, exits: readonly Exit[], hops: number): readonly Final[] {
  const name = nameOf(at)
  return exits.flatMap((exit): readonly Final[] => {
    const way = remember(exit.way, name)
    switch (exit.kind) {
      case 'ended':
        return [{ way, outcome: { kind: 'ended', machine: name, end: exit.end, standing: at } }]
      case 'local':
        return [{ way, outcome: deliveredTo(at, way.packet) }]
      case 'sent':
        if (hops > mostHops) return [ends(way, at, { kind: 'unknown', what: 'it goes in circles between machines' })]
        if (exit.device === undefined) return [{ way, outcome: { kind: 'sent', machine: name } }]
        return at.kind === 'machine'
          ? onLink(walk, at.machine, exit.device, exit.via ?? way.packet.destination, way, hops + 1)
          : fromPod(walk, at, exit.via ?? way.packet.destination, way, hops + 1)
    }
  })
}

const nameOf = (at: Known): string => (at.kind === 'machine' ? at.machine.name : at.own.name)

const ends = (way: Way, standing: Known, end: End): Final => ({
  way,
  outcome: { kind: 'ended', machine: nameOf(standing), end, standing },
})

const endsOn = (way: Way, machine: Machine, end: End): Final => ends(way, { kind: 'machine', machine }, end)

function deliveredTo(standing: Known, packet: Packet): Outcome {
  const to = standing.kind === 'machine' ? standing.machine.name : standing.label
  return { kind: 'delivered', to, standing, listener: listenerOn(machineOf(standing), packet) }
}

const machineOf = (at: Known): Machine => (at.kind === 'machine' ? at.machine : at.own)

/** The connection stays in the memory of the machine that the packet leaves. */
function remember(way: Way, machine: string): Way {
  const { connection } = way.packet
  if (connection === undefined) return way
  const others = way.tracked.filter((entry) => entry.machine !== machine || !isSame(entry.connection, connection))
  return { ...way, tracked: [...others, { machine, connection }] }
}

const isSame = (a: Connection, b: Connection) => JSON.stringify(a.original) === JSON.stringify(b.original)

/** What a pod sends comes to its node, or stays on the bridge that it shares with its neighbours. */
function fromPod(
  walk: Walk,
  pod: Extract<Known, { kind: 'behind' }>,
  via: string,
  way: Way,
  hops: number,
): readonly Final[] {
  const { machine: node, device } = pod
  const at: Known = { kind: 'machine', machine: node }
  const hasBridge = device !== undefined && isBridge(node, device)
  const port = hasBridge ? portOf(node, device, pod.own, way.packet.source) : undefined
  const setting = node.sysctls?.get(
    way.packet.source.includes(':') ? 'net.bridge.bridge-nf-call-ip6tables' : 'net.bridge.bridge-nf-call-iptables',
  )
  const throughPort = (from: Way, isForItself: boolean, next: (way: Way) => readonly Final[]) =>
    port === undefined
      ? next(from)
      : finalsOf(node, passPort(node, from, { bridge: device!, in: port.name, isForItself }, walk), next)
  const enter = (entry: Entry, next: Way) =>
    throughPort(next, entry.kind === 'arrives', (passed) =>
      onExits(walk, at, walkMachine(node, passed, entry, walk), hops),
    )
  const isOwnAddress = node.links?.some((link) => link.addresses?.some(({ ip }) => ip === via)) ?? false
  if (!hasBridge || via === gateway || isOwnAddress || port === undefined)
    return enter(
      { kind: 'arrives', device, ...(port !== undefined && setting === '1' && { bridgePort: port.name }) },
      way,
    )
  const name = way.packet.source.includes(':') ? 'bridge-nf-call-ip6tables' : 'bridge-nf-call-iptables'
  return forkFinals(
    way,
    setting === undefined
      ? { condition: `net.bridge.${name} is 1 on ${node.name}`, missing: 'sysctl -a' }
      : setting === '1',
    (seen) => enter({ kind: 'bridged', device: device!, bridgePort: port.name }, seen),
    (unseen) => {
      const effect = `${device} carries it from port to port, past all rules: net.bridge.${name} is not 1`
      const carried = withStep(unseen, { machine: node.name, place: 'bridge', matched: [], effect, weight: 'act' })
      return throughPort(carried, false, (passed) => onLink(walk, node, device!, via, passed, hops, port.name))
    },
  )
}

/** Goes on with the ways that rules let pass. */
const finalsOf = (
  machine: Machine,
  passed: readonly Passed[],
  next: (way: Way) => readonly Final[],
): readonly Final[] => passed.flatMap(({ way, end }) => (end === undefined ? next(way) : [endsOn(way, machine, end)]))

function forkFinals(
  way: Way,
  question: boolean | { readonly condition: string; readonly missing: string },
  holds: (way: Way) => readonly Final[],
  fails: (way: Way) => readonly Final[],
): readonly Final[] {
  if (typeof question === 'boolean') return question ? holds(way) : fails(way)
  const finals: Final[] = []
  fork(
    way,
    { kind: 'maybe', ...question },
    (next) => (finals.push(...holds(next)), []),
    (next) => (finals.push(...fails(next)), []),
  )
  return finals
}

/** From an interface of a machine to whoever has the next hop's address. */
function onLink(
  walk: Walk,
  machine: Machine,
  device: string,
  via: string,
  way: Way,
  hops: number,
  carriedFrom?: string,
): readonly Final[] {
  const { world } = walk
  if (isTunnel(machine, device)) return throughTunnel(walk, machine, device, via, way, hops)
  const next = standingOf(world, via)
  if (next.kind === 'behind' && next.machine.name === machine.name) {
    if (world.objects.pods.length > 0 && podAt(world, via) === undefined) return [nobody(way, machine, device, via)]
    return toPod(walk, next, device, way, hops, carriedFrom)
  }
  if (next.kind === 'machine' && next.machine.name !== machine.name)
    return isElsewhere(machine, device, via)
      ? [nobody(way, machine, device, via)]
      : toMachine(walk, next.machine, via, way, hops)
  // A router that is not known: the machine behind it may be.
  const behind = via === way.packet.destination ? undefined : standingOf(world, way.packet.destination)
  if (behind?.kind === 'machine' && behind.machine.name !== machine.name)
    return toMachine(walk, behind.machine, way.packet.destination, lacks(way, `the router ${via}`), hops)
  return [{ way, outcome: { kind: 'left', machine: machine.name, device, via } }]
}

/** Another interface has the network of that address, and this one has not: nobody answers here. */
function isElsewhere(machine: Machine, device: string, ip: string): boolean {
  const has = (link: NonNullable<Machine['links']>[number]) =>
    link.addresses?.some(({ ip: own, prefix, peer }) => rangeHas(`${peer ?? own}/${prefix}`, ip) === true) ?? false
  const here = machine.links?.find(({ name }) => name === device)
  return here !== undefined && !has(here) && (machine.links?.some((link) => link !== here && has(link)) ?? false)
}

function nobody(way: Way, machine: Machine, device: string, via: string): Final {
  const effect = `refused: nobody on ${device} has the address ${via}`
  const marked = withStep(way, { machine: machine.name, place: 'neighbours', matched: [], effect, weight: 'act' })
  return endsOn(marked, machine, {
    kind: 'reject',
    with: via.includes(':') ? 'icmp6-addr-unreachable' : 'icmp-host-unreachable',
  })
}

function toMachine(walk: Walk, machine: Machine, address: string, way: Way, hops: number): readonly Final[] {
  const device = machine.links?.find((link) => link.addresses?.some(({ ip }) => ip === address))?.name
  const exits = walkMachine(machine, arrived(way), { kind: 'arrives', device }, walk)
  return onExits(walk, { kind: 'machine', machine }, exits, hops)
}

function toPod(
  walk: Walk,
  pod: Extract<Known, { kind: 'behind' }>,
  device: string,
  way: Way,
  hops: number,
  carriedFrom: string | undefined,
): readonly Final[] {
  const { machine } = pod
  const from = way.packet.bridgePort
  const port = isBridge(machine, device) ? portOf(machine, device, pod.own, way.packet.destination) : undefined
  const inside = (next: Way) =>
    onExits(walk, pod, walkMachine(pod.own, arrived(next), { kind: 'arrives', device: 'eth0' }, walk), hops)
  // From port to port, or from the machine itself.
  const isForwarded =
    carriedFrom !== undefined || (from !== undefined && way.packet.connection?.destinationNat === undefined)
  const cameBy = carriedFrom ?? from
  const ports = { bridge: device, out: port?.name ?? '', isForwarded, ...(cameBy !== undefined && { in: cameBy }) }
  const enter = (next: Way) =>
    port === undefined ? inside(next) : finalsOf(machine, passPort(machine, next, ports, walk), inside)
  if (port === undefined || from === undefined || way.packet.inInterface !== device || port.name !== from)
    return enter(way)
  return throughHairpin(machine, port, way, enter)
}

/** Back by the port of the bridge that it came in by. */
function throughHairpin(
  machine: Machine,
  port: Port,
  way: Way,
  enter: (way: Way) => readonly Final[],
): readonly Final[] {
  const question = port.hairpin ?? {
    condition: `hairpin_mode of ${port.name} on ${machine.name} is 1`,
    missing: 'ip -d link',
  }
  return forkFinals(way, question, enter, (left) => {
    const why = `hairpin_mode of ${port.name} is off: a bridge sends nothing back by the port that it came from`
    const marked = withStep(left, {
      machine: machine.name,
      place: 'bridge',
      matched: [],
      effect: `dropped: ${why}`,
      weight: 'act',
    })
    return [endsOn(marked, machine, { kind: 'drop', why })]
  })
}

/** Another machine has nothing of what the last one knew. */
function arrived(way: Way): Way {
  const { connection: _, ...packet } = way.packet
  return {
    ...way,
    packet: { ...packet, state: stateElsewhere(packet) },
  }
}

function stateElsewhere({ state, reset }: Pick<Packet, 'state' | 'reset'>): Packet['state'] {
  if (reset === true) return 'ESTABLISHED'
  return state === 'UNTRACKED' || state === 'INVALID' ? 'NEW' : state
}

function throughTunnel(
  walk: Walk,
  machine: Machine,
  device: string,
  via: string,
  way: Way,
  hops: number,
): readonly Final[] {
  const end = tunnelEnd(walk.world, machine, device, via, way)
  if (end.kind === 'lost') return [endsOn(end.way, machine, { kind: 'drop', why: end.why })]
  const inner = way.packet
  const outer = withPacket(end.way, {
    ...end.outer,
    mark: 0,
    state: 'NEW',
  })
  const { connection: _, ...packet } = outer.packet
  const carried = onExits(
    walk,
    { kind: 'machine', machine },
    walkMachine(machine, { ...outer, packet }, { kind: 'made' }, walk),
    hops,
  )
  return carried.flatMap((final): readonly Final[] => {
    const back = { ...final.way, packet: inner }
    if (final.outcome.kind !== 'delivered') return [{ way: back, outcome: unheardOutside(final.outcome) }]
    const other = machineNamed(walk.world, final.outcome.to) ?? machineAt(walk.world, end.outer.destination)
    const inside = other && end.deviceOn(other)
    if (other === undefined) return [{ way: back, outcome: final.outcome }]
    if (inside === undefined) {
      const why = `${other.name} has no tunnel with the number ${end.id}`
      return [endsOn(back, other, { kind: 'drop', why })]
    }
    const unpacked = withStep(arrived(back), {
      machine: other.name,
      place: 'tunnel',
      matched: [],
      effect: `unpacked: arrives by ${inside}`,
      weight: 'act',
    })
    return onExits(
      walk,
      { kind: 'machine', machine: other },
      walkMachine(other, unpacked, { kind: 'arrives', device: inside }, walk),
      hops,
    )
  })
}

/** Who sent what is inside hears nothing of what becomes of the packet around it. */
function unheardOutside(outcome: Outcome): Outcome {
  if (outcome.kind !== 'ended' || outcome.end.kind === 'balanced' || outcome.end.kind === 'unknown') return outcome
  const { call: _, ...end } = outcome.end
  const unheard = 'it is about the packet of the tunnel'
  return { ...outcome, end: end.kind === 'reject' ? { ...end, unheard } : end }
}

// The hooks of netfilter on one machine: everything that looks at a packet there, in the order of its priority.

import { walkBaseChain } from '#trace/chain/chain.ts'
import { trackConnection } from '#trace/conntrack.ts'
import { iptablesBook } from '#trace/iptables/rule-book.ts'
import type { IptablesRules, Machine } from '#trace/machine.ts'
import { connectionOf } from '#trace/nat.ts'
import { type Connection, familyOf, type Packet, renderEnd } from '#trace/packet.ts'
import type { Hook, Place } from '#trace/place.ts'
import { type Passed, type Way, withPacket, withStep } from '#trace/way.ts'

/** Something that looks at packets at a hook. */
export type Station = {
  readonly hook: Hook
  readonly family: 4 | 6
  readonly priority: number
  /** asked once for each connection */
  readonly isNat: boolean
  pass(way: Way, place: Place): readonly Passed[]
}

const chainOfHook: Readonly<Record<Hook, string>> = {
  ingress: '',
  prerouting: 'PREROUTING',
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
  postrouting: 'POSTROUTING',
  egress: '',
}

const tablePriorities: Readonly<Record<string, number>> = { raw: -300, mangle: -150, filter: 0, security: 50, nat: 0 }

/** Where each kind of address is rewritten, and the priority of that (linux/netfilter_ipv4.h). */
const natHooks = {
  prerouting: { side: 'destination', priority: -100 },
  output: { side: 'destination', priority: -100 },
  input: { side: 'source', priority: 100 },
  postrouting: { side: 'source', priority: 100 },
} as const

const trackPriority = -200

/** The tables of iptables as stations. */
export function iptablesStations(machine: Machine): Station[] {
  return machine.iptables.flatMap(({ family, rules }) =>
    [...rules].flatMap(([table, chains]) =>
      (Object.keys(chainOfHook) as Hook[])
        .filter((hook) => chains.has(chainOfHook[hook]))
        .map((hook): Station => ({
          hook,
          family,
          priority: tablePriorities[table] ?? 0,
          isNat: table === 'nat',
          pass: (way, place) => passTable(rules, table, chainOfHook[hook], way, place),
        })),
    ),
  )
}

function passTable(rules: IptablesRules, table: string, chain: string, way: Way, place: Place): readonly Passed[] {
  const first = rules.get(table)!.get(chain)!
  return walkBaseChain(iptablesBook(rules, table, place), chain, way, place.budget, {
    drops: first.policy === 'DROP',
    step: {
      machine: place.machine.name,
      place: `${table} ${place.hook}`,
      chain,
      rule: `-P ${chain} ${first.policy ?? 'ACCEPT'}`,
      matched: ['no rule of the chain decided'],
      effect: `dropped by the policy of ${chain}`,
      weight: 'act',
    },
  })
}

/** Shows a packet to everything at a hook. `reroute` is asked whenever a rule has changed what routing looks at. */
export function passHook(
  stations: readonly Station[],
  from: Way,
  place: Place,
  reroute?: (way: Way) => readonly Passed[],
): readonly Passed[] {
  const family = familyOf(from.packet)
  const here = stations.filter((station) => station.hook === place.hook && station.family === family)
  const plan = [
    ...here.filter(({ isNat }) => !isNat),
    ...(place.hook === 'prerouting' || place.hook === 'output' ? [trackStation] : []),
    ...(place.hook in natHooks
      ? [
          natStation(
            here.filter(({ isNat }) => isNat),
            place.hook as keyof typeof natHooks,
          ),
        ]
      : []),
  ].toSorted((a, b) => a.priority - b.priority)
  return passStations(plan, from, place, reroute)
}

/** One after the other, until one ends the way. */
export function passStations(
  stations: readonly Passing[],
  from: Way,
  place: Place,
  reroute?: (way: Way) => readonly Passed[],
): readonly Passed[] {
  let passed: readonly Passed[] = [{ way: from }]
  for (const station of stations)
    passed = passed.flatMap((item) => {
      if (item.end !== undefined) return [item]
      const after = station.pass(item.way, place)
      if (reroute === undefined) return after
      return after.flatMap((next) =>
        next.end === undefined && routesOtherwise(item.way.packet, next.way.packet) ? reroute(next.way) : [next],
      )
    })
  return passed
}

const routesOtherwise = (before: Packet, after: Packet) =>
  before.destination !== after.destination || before.mark !== after.mark || before.source !== after.source

type Passing = Pick<Station, 'priority' | 'pass'>

const trackStation: Passing = {
  priority: trackPriority,
  pass: (way, place) => [{ way: trackConnection(way, place) }],
}

/** All chains of type nat hang on one place of the kernel, and only the first packet of a connection is shown to them. */
function natStation(chains: readonly Station[], hook: keyof typeof natHooks): Passing {
  const { side, priority } = natHooks[hook]
  const ordered = chains.toSorted((a, b) => a.priority - b.priority)
  const isDone = ({ destinationDone, sourceDone }: Connection) =>
    side === 'destination' ? destinationDone : sourceDone
  return {
    priority,
    pass(way, place) {
      const { connection } = way.packet
      if (way.packet.state === 'UNTRACKED' || way.packet.state === 'INVALID' || connection === undefined)
        return [{ way }]
      if (isDone(connection) || connection.direction === 'reply')
        return [{ way: translate(way, connection, side, place) }]
      let passed: readonly Passed[] = [{ way }]
      for (const chain of ordered)
        passed = passed.flatMap((item) => {
          const known = item.way.packet.connection
          return item.end !== undefined || (known !== undefined && isDone(known)) ? [item] : chain.pass(item.way, place)
        })
      const done = side === 'destination' ? { destinationDone: true } : { sourceDone: true }
      return passed.map((item) =>
        item.end === undefined
          ? { way: withPacket(item.way, { connection: { ...connectionOf(item.way.packet), ...done } }) }
          : item,
      )
    },
  }
}

/** What was chosen for the connection, done to one of its packets. Answers are turned back on the other side. */
function translate(way: Way, connection: Connection, side: 'source' | 'destination', place: Place): Way {
  const { packet } = way
  const isReply = connection.direction === 'reply'
  const { original, destinationNat, sourceNat } = connection
  const back = (ip: string, port: number) => ({ ip, port })
  const target =
    side === 'destination'
      ? isReply
        ? sourceNat && back(original.source, original.sourcePort)
        : destinationNat
      : isReply
        ? destinationNat && back(original.destination, original.destinationPort)
        : sourceNat
  if (target === undefined) return way
  const change =
    side === 'destination'
      ? { destination: target.ip, destinationPort: target.port }
      : { source: target.ip, sourcePort: target.port }
  const before = side === 'destination' ? packet.destination : packet.source
  const changed = withPacket(way, packet.error === undefined ? change : changeError(packet.error, side, target))
  const port = side === 'destination' ? packet.destinationPort : packet.sourcePort
  if (before === target.ip && port === target.port) return way
  return withStep(changed, {
    machine: place.machine.name,
    place: 'conntrack',
    matched: ['the connection is known here'],
    effect: `${side} becomes ${renderEnd(target.ip, target.port, packet.protocol)}, as the connection was translated`,
    weight: 'act',
  })
}

/** Of an error by ICMP its own address is changed, and the other side of the packet that it is about. */
function changeError(
  error: NonNullable<Packet['error']>,
  side: 'source' | 'destination',
  { ip, port }: { readonly ip: string; readonly port: number },
): Partial<Packet> {
  const about =
    side === 'destination'
      ? { ...error.about, source: ip, sourcePort: port }
      : { ...error.about, destination: ip, destinationPort: port }
  return { [side]: ip, error: { ...error, about } }
}

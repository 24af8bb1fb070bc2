// Which connection a packet belongs to on a machine: one that it has just made there, one of a dump, or a new one.

import type { DumpedConnection } from '#kernel/dump/connections.ts'
import { type Machine, perMachine } from '#trace/machine.ts'
import { type Connection, equalTuples, inverted, type Packet, replyTuple, tupleOf } from '#trace/packet.ts'
import type { Place } from '#trace/place.ts'
import { type Way, withPacket, withStep } from '#trace/way.ts'

export function trackConnection(way: Way, place: Place): Way {
  const { packet } = way
  if (packet.state === 'UNTRACKED' || packet.connection !== undefined) return way
  // An error by ICMP belongs to the connection of the packet that it is about.
  const tuple = packet.error === undefined ? tupleOf(packet) : inverted(packet.error.about)
  const related = packet.error === undefined ? undefined : 'RELATED'
  for (const { machine, connection } of way.tracked) {
    if (machine !== place.machine.name) continue
    if (equalTuples(replyTuple(connection), tuple))
      return known(way, { ...connection, direction: 'reply' }, related ?? answerState(packet))
    if (equalTuples(connection.original, tuple))
      return known(way, { ...connection, direction: 'original' }, related ?? packet.state)
  }
  if (related !== undefined) return withPacket(way, { state: 'INVALID' })
  const dumped = packet.state === 'NEW' ? findDumped(place.machine, packet) : undefined
  if (dumped !== undefined) {
    const found = withStep(known(way, dumped.connection, dumped.state), {
      machine: place.machine.name,
      place: 'conntrack',
      matched: [],
      effect: `the connection is known here: ${dumped.text}`,
      weight: 'act',
    })
    return found
  }
  const isAnswer = packet.state !== 'NEW'
  // An answer to nothing that this machine knows: TCP's is out of order; anything else begins a connection.
  if (isAnswer && packet.protocol === 'tcp') return withPacket(way, { state: 'INVALID' })
  return known(
    way,
    { original: tuple, direction: 'original', destinationDone: false, sourceDone: false, mark: 0 },
    'NEW',
  )
}

/** A reset that a rule sends is related to the connection, not of it. */
const answerState = ({ state }: Packet): Packet['state'] => (state === 'RELATED' ? 'RELATED' : 'ESTABLISHED')

const known = (way: Way, connection: Connection, state: Packet['state']): Way => withPacket(way, { connection, state })

type Dumped = { readonly connection: Connection; readonly state: Packet['state']; readonly text: string }

const index = perMachine((machine) => {
  const byTuple = new Map<string, DumpedConnection>()
  for (const connection of machine.connections ?? [])
    byTuple.set(keyOf(connection.protocol, connection.original), connection)
  return byTuple
})

const keyOf = (protocol: string, { source, sourcePort, destination, destinationPort }: DumpedConnection['original']) =>
  `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`

function findDumped(machine: Machine, packet: Packet): Dumped | undefined {
  const found = index(machine).get(keyOf(packet.protocol, packet))
  if (found === undefined) return undefined
  const { original, reply } = found
  const goes = { ip: reply.source, port: reply.sourcePort }
  const seems = { ip: reply.destination, port: reply.destinationPort }
  const isSame = (a: { ip: string; port: number }, ip: string, port: number) => a.ip === ip && a.port === port
  return {
    connection: {
      original,
      direction: 'original',
      destinationDone: true,
      sourceDone: true,
      mark: found.mark,
      ...(!isSame(goes, original.destination, original.destinationPort) && { destinationNat: goes }),
      ...(!isSame(seems, original.source, original.sourcePort) && { sourceNat: seems }),
    },
    state: found.unreplied ? 'NEW' : 'ESTABLISHED',
    text: `${original.source} > ${original.destination}, answered by ${reply.source}:${reply.sourcePort}`,
  }
}

// Rules below IP: those of the bridge family, and those at the ports of a bridge (ingress and egress). They see a frame by
// the names of the ports; the machine's own rules see it by that of the bridge.

import type { Machine } from '#trace/machine.ts'
import { bridgeStations } from '#trace/nft/stations.ts'
import { familyOf } from '#trace/packet.ts'
import type { Hook } from '#trace/place.ts'
import { passStations } from '#trace/hooks.ts'
import { stationsOf } from '#trace/stations.ts'
import { placeOn, type WalkOptions } from '#trace/walk-machine.ts'
import type { Passed, Way } from '#trace/way.ts'

export type Crossing =
  /** in by a port, for the machine itself or for another port */
  | { readonly bridge: string; readonly in: string; readonly isForItself: boolean }
  /** out by a port, from the machine itself or from another port */
  | { readonly bridge: string; readonly in?: string; readonly out: string; readonly isForwarded: boolean }

type Passage = { readonly hook: Hook; readonly ofBridge: boolean }
const at = (hook: Hook, ofBridge = true): Passage => ({ hook, ofBridge })

const passages = (crossing: Crossing): readonly Passage[] =>
  'out' in crossing
    ? [at(crossing.isForwarded ? 'forward' : 'output'), at('postrouting'), at('egress', false)]
    : [at('ingress', false), at('prerouting'), ...(crossing.isForItself ? [at('input')] : [])]

/** Shows a frame to them, and gives it back with the interfaces that it had. */
export function passPort(machine: Machine, from: Way, crossing: Crossing, options: WalkOptions): readonly Passed[] {
  const { inInterface, outInterface } = from.packet
  let passed: readonly Passed[] = [{ way: withPorts(from, machine, crossing) }]
  for (const { hook, ofBridge } of passages(crossing)) {
    const stations = (ofBridge ? bridgeStations(machine) : stationsOf(machine))
      .filter((station) => station.hook === hook && station.family === familyOf(from.packet))
      .toSorted((a, b) => a.priority - b.priority)
    const place = { ...placeOn(machine, hook, options), bridge: crossing.bridge }
    passed = passed.flatMap((item) => (item.end === undefined ? passStations(stations, item.way, place) : [item]))
  }
  return passed.map(({ way, ...rest }) => ({ way: withInterfaces(way, inInterface, outInterface), ...rest }))
}

/** Only ports that are there have a name that rules may ask for. */
function withPorts(way: Way, machine: Machine, crossing: Crossing): Way {
  const known = (name: string | undefined) =>
    name === undefined ? '' : machine.links?.some((link) => link.name === name) === true ? name : undefined
  return withInterfaces(way, known(crossing.in), 'out' in crossing ? known(crossing.out) : '')
}

function withInterfaces(way: Way, inInterface: string | undefined, outInterface: string | undefined): Way {
  const { inInterface: _in, outInterface: _out, ...packet } = way.packet
  return {
    ...way,
    packet: {
      ...packet,
      ...(inInterface !== undefined && { inInterface }),
      ...(outInterface !== undefined && { outInterface }),
    },
  }
}

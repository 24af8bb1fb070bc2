// Packets that stand for all of their kind: from a pod of a node, and from somebody outside.

import { hostAt } from '#lib/cidr.ts'
import type { Ip } from '#lib/ip.ts'
import type { NodeView } from '#doctor/view.ts'
import { lookupRoute } from '#trace/route/lookup.ts'
import { firstPacket, type Packet } from '#trace/packet.ts'
import type { Entry } from '#trace/walk-machine.ts'
import { deviceTowards } from '#trace/world.ts'
import type { Asker, Front } from '#doctor/expect/expect.ts'

export type Question = { readonly packet: Packet; readonly entry: Entry }

/** Ranges for documentation: nobody has these. */
export const outsider: Readonly<Record<4 | 6, Ip>> = { 4: '198.51.100.77', 6: '2001:db8::77' }

/** Undefined where the node has no address for it, or nothing is known of its pods. */
export function ask(node: NodeView, front: Front, asker: Asker): Question | undefined {
  const { family } = front
  const destination = front.ip ?? node.ips.find((ip) => ip.includes(':') === (family === 6))
  const source = asker === 'outside' ? outsider[family] : podSource(node, family)
  if (destination === undefined || source === undefined) return undefined
  const packet = firstPacket({ protocol: front.protocol, source, destination, destinationPort: front.port })
  return { packet, entry: { kind: 'arrives', device: deviceFor(node, source, destination, asker) } }
}

/** One of the node's pods that does not exist: the last address but one of its range. */
function podSource({ podCidrs }: NodeView, family: 4 | 6): Ip | undefined {
  const range = podCidrs.find(({ base }) => base.length === (family === 4 ? 4 : 16))
  return range && hostAt(range, -2)
}

function deviceFor({ machine }: NodeView, source: Ip, destination: Ip, asker: Asker): string | undefined {
  if (asker === 'pod') return deviceTowards(machine, source)
  const [route] = lookupRoute(machine, {
    family: source.includes(':') ? 6 : 4,
    destination: source,
    source: '',
    mark: 0,
    incoming: '',
    protocol: 'tcp',
    sourcePort: 0,
    destinationPort: 0,
  })
  return route?.routed.kind === 'forward' ? route.routed.device : deviceTowards(machine, destination)
}

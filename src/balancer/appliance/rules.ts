// The appliance's nftables: one rule per address and port (and range of clients, where not all may come), that sends each
// new connection to one of the nodes at random.
// The whole table is written in one transaction, so that no packet sees half of it; connections that are there go on,
// for they are the kernel's to remember. That is how a node drains.

import type { Frontend } from '#balancer/appliance/plan.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import * as e from '#kernel/nftables/expression.ts'
import { concat } from '#lib/bytes.ts'
import { masked, parseCidr } from '#lib/cidr.ts'
import { parseIp } from '#lib/ip.ts'

export const table = 'fairway-balancer'
const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const
/** IPS_DST_NAT of the kernel's connection status. */
const destinationChanged = 0x20
const priority = { destination: -100, source: 100 } as const

/** A front end with the addresses of the nodes that take its connections. */
export type Route = Frontend & { readonly nodes: readonly string[] }

export function planRules(family: 4 | 6, routes: readonly Route[], isThere: boolean): NftBatch {
  const batch = new NftBatch(family, table)
  if (isThere) batch.deleteTable()
  batch.addTable('Services of type LoadBalancer, to the NodePorts of the nodes that are well')
  const address = family === 4 ? ('ipv4' as const) : ('ipv6' as const)
  const words = family === 4 ? 1 : 4
  batch.addSet({ name: 'targets', key: ['number'], data: [address, 'port'], comment: 'numbered node ports' })
  batch.addChain('in', { base: { type: 'nat', hook: 'prerouting', priority: priority.destination } })
  batch.addChain('out', { base: { type: 'nat', hook: 'postrouting', priority: priority.source } })
  let first = 0
  for (const { service, ip, protocol, port, nodePort, nodes, sources } of routes) {
    if (nodes.length === 0) continue
    for (const [i, node] of nodes.entries())
      batch.addElement('targets', e.hostNumber(first + i), {
        data: concat(parseIp(node)!, portNumber(nodePort), new Uint8Array(2)),
      })
    const isMeant = [
      ...isAddress(family, 'destination', `${ip}/${family === 4 ? 32 : 128}`),
      e.meta(0, 'protocol'),
      e.compare(0, true, Uint8Array.of(protocols[protocol])),
      e.payload(0, 'transport', 2, 2),
      e.compare(0, true, portNumber(port)),
    ]
    const toNode = [
      e.randomNumber(0, nodes.length, first),
      e.lookup('targets', 0, { to: 0 }),
      e.destinationNat(family, 0, words),
    ]
    for (const range of sources ?? [undefined])
      batch.addRule(
        'in',
        [...isMeant, ...(range === undefined ? [] : isAddress(family, 'source', range)), ...toNode],
        service,
      )
    if (sources !== undefined) batch.addRule('in', [...isMeant, e.verdict({ kind: 'drop' })], service)
    first += nodes.length
  }
  // Answers must come back here, whatever way the node would have taken.
  const mask = e.hostNumber(destinationChanged)
  batch.addRule('out', [
    e.connectionStatus(0),
    e.bitwise(0, mask, e.hostNumber(0)),
    e.compare(0, true, mask),
    e.masquerade,
  ])
  return batch
}

/** One of the packet's addresses is in a range. */
function isAddress(family: 4 | 6, of: 'source' | 'destination', range: string): e.Expression[] {
  const { base, prefix } = parseCidr(range)!
  const { length } = base
  const offset = family === 4 ? 12 : 8
  const mask = masked(new Uint8Array(length).fill(255), prefix)
  return [
    e.payload(0, 'network', of === 'source' ? offset : offset + length, length),
    ...(prefix === 8 * length ? [] : [e.bitwise(0, mask, new Uint8Array(length))]),
    e.compare(0, true, base),
  ]
}

const portNumber = (port: number): Uint8Array => Uint8Array.of(port >>> 8, port & 0xff)

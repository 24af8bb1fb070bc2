// effect: nftables of bridges
// A promiscuous bridge takes every frame itself too. What a pod sends to another pod of the node through a Service would so
// arrive twice: once bridged, once routed by the node. Of frames that the bridge itself sends, only those from the node's own
// address are let through to pods: they are what was masqueraded, a pod's connection to itself among them.
import { NftBatch } from '#kernel/nftables/batch.ts'
import * as e from '#kernel/nftables/expression.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { encodeMac } from '#kernel/route/mac.ts'
import { masked } from '#lib/cidr.ts'
import { parseIp } from '#lib/ip.ts'
import type { Network, Range } from '#node/cni/network.ts'

const table = 'fairway-dedup'
/** As iptables writes an interface's name that may go on. */
const cables = new TextEncoder().encode('veth')
const shapes = { 4: { type: [0x08, 0x00], source: 12 }, 6: { type: [0x86, 0xdd], source: 8 } } as const

/** Makes the rules as the network's hairpin mode wants them: there, or gone. `mac`: the bridge's. */
export function dropDuplicates({ hairpin, ranges }: Network, mac: string | undefined): void {
  const isWanted = hairpin === 'promiscuous-bridge' && mac !== undefined
  using nftables = openNftables('bridge')
  const comment = isWanted ? `${mac} ${ranges.map(({ gateway }) => gateway).join(' ')}` : undefined
  if (nftables.table(table)?.comment === comment) return
  const batch = new NftBatch('bridge', table)
  batch.addTable('')
  batch.deleteTable()
  if (comment !== undefined) {
    batch.addTable(comment)
    batch.addChain('output', { base: { type: 'filter', hook: 'output', priority: 0 } })
    for (const range of ranges)
      for (const [rule, text] of rulesFor(range, encodeMac(mac!))) batch.addRule('output', rule, text)
  }
  nftables.commit(batch)
}

function rulesFor({ cidr, gateway }: Range, mac: Uint8Array): readonly (readonly [readonly e.Expression[], string])[] {
  const { type, source } = shapes[cidr.base.length === 4 ? 4 : 6]
  const length = cidr.base.length
  const toPod = [
    e.payload(0, 'link', 6, 6),
    e.compare(0, true, mac),
    e.meta(0, 'outInterfaceName'),
    e.compare(0, true, cables),
    e.payload(0, 'link', 12, 2),
    e.compare(0, true, Uint8Array.from(type)),
    e.payload(0, 'network', source, length),
  ]
  const mask = masked(new Uint8Array(length).fill(255), cidr.prefix)
  return [
    [[...toPod, e.compare(0, true, parseIp(gateway)!), e.verdict({ kind: 'accept' })], 'masqueraded'],
    [
      [
        ...toPod,
        e.bitwise(0, mask, new Uint8Array(length)),
        e.compare(0, true, cidr.base),
        e.verdict({ kind: 'drop' }),
      ],
      'has been bridged already',
    ],
  ]
}

// effect: netlink sockets
// The number that the kernel raises by one with every change to any nftables table of a namespace, and therefore also to
// those of iptables-nft. Equal numbers: nothing happened in between.
import { nftFamilies } from '#kernel/nftables/ruleset.ts'
import { encodeHeader, headerLength, messageType } from '#kernel/netfilter/subsystem.ts'
import { decodeAttributes, readText, readU32be } from '#kernel/netlink/message.ts'
import { NETLINK, type NetlinkSocket, openNetlink, subscribe, type Subscription } from '#kernel/netlink/socket.ts'

const getGeneration = 16
const newGeneration = 15
const generationId = 1

export function nftablesGeneration(netns?: string): number {
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  return generationOf(socket)
}

/** By a socket that is there already. */
export function generationOf(socket: NetlinkSocket): number {
  const [answer] = socket.request('read the generation', messageType('nftables', getGeneration), 0, (writer) =>
    encodeHeader(writer, undefined),
  )
  const id = answer && decodeAttributes(answer.payload, headerLength).get(generationId)
  if (!id) throw new Error('nftables did not say its generation')
  return readU32be(id)
}

const nftablesGroup = 7
const tableAttribute = 1

/** A transaction of nftables: its number, and the tables that it was about, as `ip filter`. */
export type NftTransaction = { readonly generation: number; readonly tables: ReadonlySet<string> }

/**
 * Calls `changed` after each transaction of anyone, our own too; undefined: some were not told. The kernel tells every element: pause the subscription while much is written.
 */
export function watchNftables(changed: (transaction?: NftTransaction) => void, netns?: string): Subscription {
  let touched = new Set<string>()
  return subscribe({
    protocol: NETLINK.netfilter,
    netns,
    groups: [nftablesGroup],
    onMessage({ type, payload }) {
      if (type !== messageType('nftables', newGeneration)) {
        const table = decodeAttributes(payload, headerLength).get(tableAttribute)
        if (table) touched.add(`${nftFamilies.get(payload[0]!) ?? ''} ${readText(table)}`)
        return
      }
      const tables = touched
      touched = new Set()
      const id = decodeAttributes(payload, headerLength).get(generationId)
      if (id) changed({ generation: readU32be(id), tables })
    },
    onOverrun: () => changed(),
  })
}

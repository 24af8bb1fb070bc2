// effect: netlink sockets
// The kernel's table of connections.
import { decodeFlow, encodeFlowName, encodeListQuery, type Flow, MESSAGE } from '#kernel/conntrack/flow.ts'
import { messageType } from '#kernel/netfilter/subsystem.ts'
import { NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, openNetlink } from '#kernel/netlink/socket.ts'

/** All flows of a protocol (17: UDP) in a family, filtered by the kernel where it can. */
export function listFlows(family: 4 | 6, protocol: number, netns?: string): Flow[] {
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  const answer = socket.request('list connections', messageType('conntrack', MESSAGE.get), NLM_F.dump, (writer) =>
    encodeListQuery(writer, family, protocol),
  )
  return answer
    .flatMap(({ payload }) => decodeFlow(payload) ?? [])
    .filter(({ original }) => original.protocol === protocol)
}

/** Forgets these flows; answers how many there still were. */
export function deleteFlows(family: 4 | 6, flows: readonly Flow[], netns?: string): number {
  if (flows.length === 0) return 0
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  let deleted = 0
  for (const flow of flows)
    try {
      socket.request('delete a connection', messageType('conntrack', MESSAGE.delete), 0, (writer) =>
        encodeFlowName(writer, family, flow),
      )
      deleted++
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== 'ENOENT') throw error
    }
  return deleted
}

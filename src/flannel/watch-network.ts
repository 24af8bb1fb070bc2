// effect: netlink notifications
// Hears when someone changes what we have set in the kernel.
import { RTM_NEIGHBOUR } from '#kernel/route/neighbour.ts'
import type { Message } from '#kernel/netlink/message.ts'
import { decodeRoute, RTM_ROUTE } from '#kernel/route/ip-route.ts'
import { GROUP, type Route } from '#kernel/route/open-route.ts'
import { containsCidr, parseCidr } from '#lib/cidr.ts'

export interface WatchedNetwork extends Disposable {
  /** names of our own links: all that happens on them matters */
  devices(names: readonly string[]): void
}

const groups = [GROUP.link, GROUP.address4, GROUP.address6, GROUP.route4, GROUP.route6, GROUP.neighbour]

/**
 * Calls `onChange` for routes into the networks, for our own links, and for the external one (any link while it is not
 * known). Our own changes are heard too: who looks then finds nothing to do.
 */
export function watchNetwork(
  route: Route,
  networks: readonly string[],
  external: () => number | undefined,
  onChange: () => void,
): WatchedNetwork {
  const ranges = networks.flatMap((text) => parseCidr(text) ?? [])
  const devices = new Set<number>()
  const isNeighbour = ({ type }: Message) => type === RTM_NEIGHBOUR.new || type === RTM_NEIGHBOUR.delete
  const concerns = (message: Message): boolean => {
    if (message.type === RTM_ROUTE.new || message.type === RTM_ROUTE.delete) {
      const range = parseCidr(decodeRoute(message)?.destination ?? '')
      return range !== undefined && ranges.some((network) => containsCidr(network, range))
    }
    // Messages about links, addresses and neighbours all have the link's index at byte 4.
    const { buffer, byteOffset } = message.payload
    const link = new DataView(buffer, byteOffset).getUint32(4, true)
    // Neighbours of other links come and go all the time.
    if (isNeighbour(message)) return devices.has(link)
    const known = external()
    return known === undefined || link === known || devices.has(link)
  }
  const subscription = route.watch(
    groups,
    (message) => {
      if (concerns(message)) onChange()
    },
    onChange,
  )
  return {
    devices(names) {
      devices.clear()
      for (const name of names) {
        const link = route.link(name)
        if (link !== undefined) devices.add(link.index)
      }
    },
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  }
}

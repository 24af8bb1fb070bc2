// effect: netlink sockets
// The real servers behind virtual ones. One that goes while it has TCP connections stays with weight 0 until they have
// ended: it gets no new ones. UDP and SCTP have no end that could be waited for.
import type { RealServerView, ServerName } from '#kernel/ipvs/codec.ts'
import type { Ipvs } from '#kernel/ipvs/ipvs.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { serverKey, type Wanted } from '#proxy/ipvs/picture.ts'
import { socketAddress } from '#proxy/state.ts'

type Endpoint = Pick<RealServerView, 'address' | 'port'>

export class RealServers {
  readonly #ipvs: Ipvs
  /** serverKey -> `ip:port` -> those that are going */
  readonly #going = new Map<string, { readonly name: ServerName; readonly servers: Map<string, Endpoint> }>()

  constructor(ipvs: Ipvs) {
    this.#ipvs = ipvs
  }

  /** From those that are known to be there to the wanted ones. */
  change(name: ServerName, before: Wanted['endpoints'], after: Wanted['endpoints']): void {
    for (const [address, { ip, port }] of after) if (!before.has(address)) this.#come(name, address, ip, port)
    const gone = [...before].filter(([address]) => !after.has(address))
    if (gone.length === 0) return
    const there = new Map(
      this.#ipvs.realServers(name).map((server) => [socketAddress(server.address, server.port), server]),
    )
    for (const [address] of gone) {
      const server = there.get(address)
      if (server) this.#go(name, address, server)
    }
  }

  /** From whatever the kernel has to the wanted ones. */
  replace(name: ServerName, after: Wanted['endpoints']): void {
    this.#going.delete(serverKey(name))
    const found = new Map(
      this.#ipvs.realServers(name).map((server) => [socketAddress(server.address, server.port), server]),
    )
    for (const [address, { ip, port }] of after) {
      const server = found.get(address)
      if (server?.weight !== 1 || server.forward !== 'masquerade') this.#come(name, address, ip, port)
    }
    for (const [address, server] of found) if (!after.has(address)) this.#go(name, address, server)
  }

  forget(name: ServerName): void {
    this.#going.delete(serverKey(name))
  }

  /** Takes away those whose connections have ended. */
  sweep(): void {
    for (const [key, { name, servers }] of this.#going) {
      const left = new Map<string, Endpoint>()
      for (const server of this.#ipvs.realServers(name)) {
        const address = socketAddress(server.address, server.port)
        if (!servers.has(address)) continue
        if (server.activeConnections + server.inactiveConnections > 0) left.set(address, server)
        else this.#ipvs.deleteRealServer(name, server)
      }
      if (left.size === 0) this.#going.delete(key)
      else this.#going.set(key, { name, servers: left })
    }
  }

  #come(name: ServerName, address: string, ip: string, port: number): void {
    const server = { address: ip, port, weight: 1 }
    this.#going.get(serverKey(name))?.servers.delete(address)
    try {
      this.#ipvs.addRealServer(name, server)
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== 'EEXIST') throw error
      this.#ipvs.setRealServer(name, server)
    }
  }

  /** With weight 0 first: one that is deleted could get a connection between the look at its connections and its end. */
  #go(name: ServerName, address: string, server: RealServerView): void {
    if (name.protocol !== 'tcp') {
      this.#ipvs.deleteRealServer(name, server)
      return
    }
    if (server.weight !== 0) this.#ipvs.setRealServer(name, { ...server, weight: 0 })
    const going = this.#going.get(serverKey(name)) ?? { name, servers: new Map<string, Endpoint>() }
    this.#going.set(serverKey(name), going)
    going.servers.set(address, server)
  }
}

// effect: netlink sockets
// The kernel's own load balancer: virtual servers (an address and port) and the real servers behind them.
import { ATTRIBUTE, COMMAND, decodeRealServer, decodeVirtualServer, encodeRealServer } from '#kernel/ipvs/codec.ts'
import { encodeServerName, encodeVirtualServer, type IpvsTimeouts, type RealServer } from '#kernel/ipvs/codec.ts'
import type { RealServerView, ServerName, VirtualServer } from '#kernel/ipvs/codec.ts'
import { encodeGenericHeader, findGenericFamily, genericHeaderLength } from '#kernel/netlink/generic.ts'
import type { Message } from '#kernel/netlink/message.ts'
import { type MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, type NetlinkSocket, openNetlink } from '#kernel/netlink/socket.ts'

/** Undefined where this kernel has no IPVS and no module for it. */
export function openIpvs(netns?: string): Ipvs | undefined {
  const socket = openNetlink({ protocol: NETLINK.generic, netns })
  const type = findGenericFamily(socket, 'IPVS')
  if (type !== undefined) return new Ipvs(socket, type)
  socket[Symbol.dispose]()
  return undefined
}

export class Ipvs implements Disposable {
  readonly #socket: NetlinkSocket
  readonly #type: number

  constructor(socket: NetlinkSocket, type: number) {
    this.#socket = socket
    this.#type = type
  }

  /** Of both families; without those that are named by a mark. */
  virtualServers(): VirtualServer[] {
    return this.#request('list virtual servers', COMMAND.getService, NLM_F.dump, () => undefined).flatMap(
      ({ payload }) => decodeVirtualServer(payload, genericHeaderLength) ?? [],
    )
  }

  /** Undefined where there is none of this name. */
  virtualServer(name: ServerName): VirtualServer | undefined {
    try {
      const what = `get virtual server ${textOf(name)}`
      const [answer] = this.#request(what, COMMAND.getService, 0, (writer) => encodeServerName(writer, name))
      return answer && decodeVirtualServer(answer.payload, genericHeaderLength)
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'ESRCH') return undefined
      throw error
    }
  }

  /** Throws NetlinkError: EEXIST where it is there, ENOENT where the kernel has no such scheduler. */
  addVirtualServer(server: VirtualServer): void {
    this.#request(`add virtual server ${textOf(server)}`, COMMAND.newService, 0, (writer) =>
      encodeVirtualServer(writer, server),
    )
  }

  setVirtualServer(server: VirtualServer): void {
    this.#request(`set virtual server ${textOf(server)}`, COMMAND.setService, 0, (writer) =>
      encodeVirtualServer(writer, server),
    )
  }

  /** False where it was not there. */
  deleteVirtualServer(name: ServerName): boolean {
    return this.#isThere('ESRCH', `delete virtual server ${textOf(name)}`, COMMAND.deleteService, (writer) =>
      encodeServerName(writer, name),
    )
  }

  /** Empty also where there is no such virtual server. */
  realServers(name: ServerName): RealServerView[] {
    const what = `list real servers of ${textOf(name)}`
    return this.#request(what, COMMAND.getDestination, NLM_F.dump, (writer) => encodeServerName(writer, name)).flatMap(
      ({ payload }) => decodeRealServer(payload, genericHeaderLength, name.address) ?? [],
    )
  }

  addRealServer(name: ServerName, server: RealServer): void {
    this.#changeRealServer('add', COMMAND.newDestination, name, server)
  }

  setRealServer(name: ServerName, server: RealServer): void {
    this.#changeRealServer('set', COMMAND.setDestination, name, server)
  }

  /** False where it was not there. Its connections go with it, or stay without a server: see expire_nodest_conn. */
  deleteRealServer(name: ServerName, server: Omit<RealServer, 'weight'>): boolean {
    const what = `delete real server ${server.address}:${server.port} of ${textOf(name)}`
    return this.#isThere('ENOENT', what, COMMAND.deleteDestination, (writer) =>
      encodeRealServer(encodeServerName(writer, name), { ...server, weight: 0 }),
    )
  }

  setTimeouts({ tcp, tcpFin, udp }: IpvsTimeouts): void {
    this.#request('set IPVS time-outs', COMMAND.setConfig, 0, (writer) =>
      writer
        .attributeU32(ATTRIBUTE.timeoutTcp, tcp)
        .attributeU32(ATTRIBUTE.timeoutTcpFin, tcpFin)
        .attributeU32(ATTRIBUTE.timeoutUdp, udp),
    )
  }

  #changeRealServer(verb: string, command: number, name: ServerName, server: RealServer): void {
    const what = `${verb} real server ${server.address}:${server.port} of ${textOf(name)}`
    this.#request(what, command, 0, (writer) => encodeRealServer(encodeServerName(writer, name), server))
  }

  #isThere(missing: string, what: string, command: number, body: (writer: MessageWriter) => unknown): boolean {
    try {
      this.#request(what, command, 0, body)
      return true
    } catch (error) {
      if (error instanceof NetlinkError && error.code === missing) return false
      throw error
    }
  }

  #request(what: string, command: number, flags: number, body: (writer: MessageWriter) => unknown): Message[] {
    return this.#socket.request(what, this.#type, flags, (writer) => {
      encodeGenericHeader(writer, command)
      body(writer)
    })
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }
}

const textOf = ({ protocol, address, port }: ServerName) => `${protocol} ${address}:${port}`

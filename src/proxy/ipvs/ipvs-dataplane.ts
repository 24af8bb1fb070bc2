// effect: netlink sockets, iptables programs
// IPVS mode in one address family: virtual servers, the addresses of kube-ipvs0, sets, and a constant number of iptables
// rules. What comes is written before what goes, and a set knows a virtual server as long as it is there: so what the sets
// name is ours, and other virtual servers are somebody else's.
import type { Iptables } from '#kernel/iptables/program.ts'
import type { VirtualServer } from '#kernel/ipvs/codec.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import type { Change, Dataplane, Plans } from '#proxy/dataplane.ts'
import { IpvsTables } from '#proxy/ipvs/ipvs-tables.ts'
import { dummyLink, type IpvsOptions } from '#proxy/ipvs/options.ts'
import { Picture, serverKey, type ServerChange } from '#proxy/ipvs/picture.ts'
import { bind, boundAddresses, type IpvsSockets, ownServers, removeIpvs, unbind } from '#proxy/ipvs/remove-ipvs.ts'
import { RealServers } from '#proxy/ipvs/real-servers.ts'
import { type SetKey, setKeys, setName, setType } from '#proxy/ipvs/sets.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

/** What of the kernel it writes to, all of one network namespace. */
export type IpvsKernel = IpvsSockets & { readonly iptables: Iptables }

/** Virtual servers that are looked at each time when nothing says that anything was changed. */
const mostSampled = 100
/** Above so many addresses of kube-ipvs0, they are looked at only now and then. */
const manyAddresses = 1000

export class IpvsDataplane implements Dataplane {
  readonly isSilent = true
  readonly #kernel: IpvsKernel
  readonly #options: IpvsOptions
  readonly #tables: IpvsTables
  readonly #realServers: RealServers
  #picture: Picture
  /** where the next look begins */
  #sample = 0

  constructor(kernel: IpvsKernel, options: IpvsOptions) {
    this.#kernel = kernel
    this.#options = options
    this.#tables = new IpvsTables(kernel.iptables, options)
    this.#realServers = new RealServers(kernel.ipvs)
    this.#picture = new Picture(options)
  }

  get family(): 4 | 6 {
    return this.#options.family
  }

  async apply(plans: Plans, changes?: ReadonlyMap<string, Change>): Promise<void> {
    if (changes === undefined) await this.#applyWhole([...plans.values()].flat())
    else await this.#applyChanges([...changes.values()])
  }

  async #applyWhole(ports: readonly PortPlan[]): Promise<void> {
    const { ipset, ipvs, route } = this.#kernel
    const picture = new Picture(this.#options, ports)
    this.#picture = picture
    if (route.link(dummyLink) === undefined) route.addDummy({ name: dummyLink })
    const extra = new Map<SetKey, readonly string[]>()
    const known = new Map<SetKey, ReadonlySet<string>>()
    for (const key of setKeys) {
      const name = setName(key, this.family)
      ipset.create(name, setType(key), this.family)
      const there = new Set(ipset.entries(name))
      known.set(key, there)
      const wanted = picture.entries(key)
      ipset.add(
        name,
        setType(key),
        [...wanted].filter((entry) => !there.has(entry)),
      )
      extra.set(
        key,
        [...there].filter((entry) => !wanted.has(entry)),
      )
    }
    const bound = boundAddresses(this.family, route)
    for (const ip of picture.addresses) if (!bound.has(ip)) bind(ip, route)
    const servers = new Map(
      ownServers(this.family, ipvs, known, this.#options.excludeCidrs).map((server) => [serverKey(server), server]),
    )
    for (const key of picture.serverKeys) {
      const { server, endpoints } = picture.server(key)!
      const there = servers.get(key)
      if (there === undefined) this.#addServer(server)
      else if (!isSame(there, server)) ipvs.setVirtualServer(server)
      this.#realServers.replace(server, endpoints)
    }
    // Rules last: until then, those of another mode take the packets.
    await this.#tables.writeAll(picture)
    for (const [key, server] of servers) if (picture.server(key) === undefined) this.#deleteServer(server)
    for (const ip of bound) if (!picture.addresses.has(ip)) unbind(ip, route)
    for (const [key, entries] of extra) ipset.delete(setName(key, this.family), setType(key), entries)
  }

  async #applyChanges(changes: readonly Change[]): Promise<void> {
    const { ipset, route } = this.#kernel
    const { sets, addresses, servers } = this.#picture.change(
      changes.flatMap(({ before }) => before),
      changes.flatMap(({ after }) => after),
    )
    for (const [key, { come }] of sets) ipset.add(setName(key, this.family), setType(key), come)
    await this.#tables.write(this.#picture)
    for (const ip of addresses.come) bind(ip, route)
    for (const change of servers) this.#changeServer(change)
    for (const ip of addresses.gone) unbind(ip, route)
    for (const [key, { gone }] of sets) ipset.delete(setName(key, this.family), setType(key), gone)
  }

  #changeServer({ before, after }: ServerChange): void {
    if (after === undefined) {
      if (before !== undefined) this.#deleteServer(before.server)
      return
    }
    if (before === undefined) {
      this.#addServer(after.server)
      this.#realServers.replace(after.server, after.endpoints)
      return
    }
    if (!isSame(before.server, after.server)) this.#kernel.ipvs.setVirtualServer(after.server)
    this.#realServers.change(after.server, before.endpoints, after.endpoints)
  }

  #addServer(server: VirtualServer): void {
    try {
      this.#kernel.ipvs.addVirtualServer(server)
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== 'EEXIST') throw error
      this.#kernel.ipvs.setVirtualServer(server)
    }
  }

  #deleteServer(server: VirtualServer): void {
    this.#kernel.ipvs.deleteVirtualServer(server)
    this.#realServers.forget(server)
  }

  /** IPVS and its sets tell nobody when they are changed: each time, some of them are looked at. */
  async check(): Promise<string | undefined> {
    this.#realServers.sweep()
    const { route, ipset } = this.#kernel
    const picture = this.#picture
    if (route.link(dummyLink) === undefined) return `${dummyLink} is gone`
    const look = this.#sample++
    if (picture.addresses.size <= manyAddresses || look % 10 === 0) {
      const bound = boundAddresses(this.family, route)
      for (const ip of picture.addresses) if (!bound.has(ip)) return `${dummyLink} no longer has ${ip}`
    }
    const counts = new Map(ipset.headers().map(({ name, entries }) => [name, entries]))
    for (const key of setKeys) {
      const name = setName(key, this.family)
      if (!counts.has(name)) return `the set ${name} is gone`
      const count = counts.get(name)
      const wanted = picture.entries(key).size
      if (count !== undefined && count !== wanted) return `the set ${name} has ${count} entries instead of ${wanted}`
    }
    return this.#checkServers(look) ?? (await this.#tables.check())
  }

  #checkServers(look: number): string | undefined {
    const { ipvs } = this.#kernel
    const keys = this.#picture.serverKeys
    for (let i = 0; i < Math.min(mostSampled, keys.length); i++) {
      const key = keys[(look * mostSampled + i) % keys.length]!
      const { server, endpoints } = this.#picture.server(key)!
      const there = ipvs.virtualServer(server)
      if (there === undefined) return `the virtual server ${key} is gone`
      if (!isSame(there, server)) return `the virtual server ${key} was changed`
      const found = ipvs.realServers(server)
      const active = found.filter(({ weight }) => weight > 0)
      if (active.length !== endpoints.size)
        return `${key} has ${active.length} real servers instead of ${endpoints.size}`
    }
    return undefined
  }

  nodePorts(): Promise<ReadonlySet<string>> {
    const entries = (key: SetKey) => this.#kernel.ipset.entries(setName(key, this.family))
    return Promise.try(
      () =>
        new Set([
          ...entries('NODE-PORT-TCP').map((port) => `tcp/${port}`),
          ...entries('NODE-PORT-UDP').map((port) => `udp/${port}`),
          ...entries('NODE-PORT-SCTP-HASH').map((entry) => `sctp/${entry.slice(entry.lastIndexOf(':') + 1)}`),
        ]),
    )
  }

  async remove(): Promise<void> {
    await this.#tables.remove()
    removeIpvs(this.family, this.#kernel, this.#options.excludeCidrs)
  }

  [Symbol.dispose](): void {
    const { ipvs, ipset, route } = this.#kernel
    for (const one of [ipvs, ipset, route]) one[Symbol.dispose]()
  }
}

const isSame = (a: VirtualServer, b: VirtualServer) =>
  a.scheduler === b.scheduler && a.flags === b.flags && a.persistentSeconds === b.persistentSeconds

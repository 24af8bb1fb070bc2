// effect: rtnetlink
// One handle for the network of one namespace: links, addresses, routes, rules, neighbours. Links are named by their
// names; every call is synchronous and is done when it returns. A "no" of the kernel throws a NetlinkError.
import { closeSync, openSync } from 'node:fs'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { NLM_F } from '#kernel/netlink/message-writer.ts'
import type { Message } from '#kernel/netlink/message.ts'
import { NETLINK, NetlinkError, openNetlink } from '#kernel/netlink/socket.ts'
import { type NetlinkSocket, subscribe, type Subscription } from '#kernel/netlink/socket.ts'
import * as address from '#kernel/route/address.ts'
import type { Family } from '#kernel/route/family.ts'
import * as ipRoute from '#kernel/route/ip-route.ts'
import * as link from '#kernel/route/link.ts'
import { decodeNamespaceId, encodeNamespaceIdQuery, RTM_NAMESPACE_ID } from '#kernel/route/namespace-id.ts'
import * as neighbour from '#kernel/route/neighbour.ts'
import * as rule from '#kernel/route/rule.ts'

/** linux/rtnetlink.h RTNLGRP_*: what `watch` can listen to. */
export const GROUP = {
  link: 1,
  neighbour: 3,
  address4: 5,
  route4: 7,
  rule4: 8,
  address6: 9,
  route6: 11,
  rule6: 19,
} as const

/** A new link; `master` is a bridge's name. */
export type LinkOptions = Omit<link.LinkBasics, 'master'> & { readonly master?: string }
export type VethOptions = LinkOptions & {
  /** Name of the other end, or more about it. With `peerNetns` it is made in that namespace. */
  readonly peer: string | Omit<link.LinkBasics, 'master' | 'netns'>
  readonly peerNetns?: string
}
export type VxlanOptions = LinkOptions & {
  readonly id: number
  readonly port: number
  readonly local?: string
  /** Name of the device that carries it. */
  readonly device?: string
  readonly learning?: boolean
}
export type LinkSetting = Omit<link.LinkChange, 'master'> &
  Partial<link.BridgePort> & {
    /** Name of the bridge, or null to take it out. */
    readonly master?: string | null
  }
export type RouteOptions = Omit<ipRoute.NewRoute, 'link'> & { readonly link?: string }

/** Opens the namespace pinned at a path (default: the caller's own); the handle stays in it for life. */
export const openRoute = (netns?: string): Route => new Route(openNetlink({ protocol: NETLINK.route, netns }), netns)

export class Route implements Disposable {
  readonly #socket: NetlinkSocket
  readonly #netns: string | undefined

  constructor(socket: NetlinkSocket, netns: string | undefined) {
    this.#socket = socket
    this.#netns = netns
  }

  links(): readonly link.Link[] {
    return this.#dump('list links', link.RTM_LINK.get, (w) => link.encodeLinkQuery(w, undefined)).map(link.decodeLink)
  }

  /** Undefined where there is none of that name or index. */
  link(which: string | number): link.Link | undefined {
    const answer = this.#unless('ENODEV', () =>
      this.#socket.request(`get link ${which}`, link.RTM_LINK.get, 0, (w) => link.encodeLinkQuery(w, which)),
    )
    return answer?.[0] && link.decodeLink(answer[0])
  }

  /** Both ends of a virtual cable, in one step, each where it belongs. */
  addVeth({ peer, peerNetns, ...options }: VethOptions): void {
    // The kernel cannot set the other end up before both exist.
    const { up, ...other } = typeof peer === 'string' ? { name: peer } : peer
    const end = { ...(options.mtu !== undefined && { mtu: options.mtu }), ...other }
    this.#add(options, (basics) => ({
      ...basics,
      kind: 'veth',
      peer: { ...end, ...(peerNetns !== undefined && { netns: peerNetns }) },
    }))
    if (!up) return
    using there = peerNetns === undefined ? undefined : openRoute(peerNetns)
    const route = there ?? this
    route.setLink(other.name, { up })
  }

  addBridge({ multicastSnooping, ...options }: LinkOptions & { readonly multicastSnooping?: boolean }): void {
    this.#add(options, (basics) => ({
      ...basics,
      kind: 'bridge',
      ...(multicastSnooping !== undefined && { multicastSnooping }),
    }))
  }

  addDummy(options: LinkOptions): void {
    this.#add(options, (basics) => ({ ...basics, kind: 'dummy' }))
  }

  addVxlan({ id, port, local, device, learning = false, ...options }: VxlanOptions): void {
    const vxlan = {
      id,
      port,
      learning,
      ...(local !== undefined && { local }),
      ...(device !== undefined && { device: this.#index(device) }),
    }
    this.#add(options, (basics) => ({ ...basics, kind: 'vxlan', vxlan }))
  }

  setLink(name: string, { master, hairpin, learning, flood, isolated, ...change }: LinkSetting): void {
    const what = `set link ${name}`
    const index = this.#index(name)
    const bridge = master === undefined ? {} : { master: master === null ? 0 : this.#index(master) }
    const all = { ...change, ...bridge }
    if (Object.keys(all).length > 0)
      this.#withFiles((file) =>
        this.#socket.request(what, link.RTM_LINK.new, 0, (w) => link.encodeLinkChange(w, index, all, file)),
      )
    const port = defined({ hairpin, learning, flood, isolated })
    if (Object.keys(port).length > 0)
      this.#socket.request(what, link.RTM_LINK.new, 0, (w) => link.encodePortChange(w, index, port))
  }

  /** False where there was none. */
  deleteLink(name: string): boolean {
    const what = `delete link ${name}`
    return this.#exists('ENODEV', () =>
      this.#socket.request(what, link.RTM_LINK.delete, 0, (w) => link.encodeLinkQuery(w, name)),
    )
  }

  addresses(filter: { readonly family?: Family; readonly link?: string } = {}): readonly address.Address[] {
    const index = filter.link === undefined ? 0 : this.#index(filter.link)
    return this.#dump('list addresses', address.RTM_ADDRESS.get, (w) =>
      address.encodeAddressQuery(w, filter.family, index),
    ).map(address.decodeAddress)
  }

  /** Does nothing where the link has it already. */
  addAddress(options: address.NewAddress & { readonly link: string }): void {
    const what = `add address ${options.cidr} to ${options.link}`
    const flags = NLM_F.create | NLM_F.replace
    const index = this.#index(options.link)
    this.#socket.request(what, address.RTM_ADDRESS.new, flags, (w) => address.encodeAddress(w, index, options))
  }

  /** False where it was not there. */
  deleteAddress(options: address.NewAddress & { readonly link: string }): boolean {
    const what = `delete address ${options.cidr} of ${options.link}`
    const index = this.#index(options.link)
    return this.#exists('EADDRNOTAVAIL', () =>
      this.#socket.request(what, address.RTM_ADDRESS.delete, 0, (w) => address.encodeAddress(w, index, options)),
    )
  }

  /** Of the main table, of the one named, or of all. */
  routes(
    filter: { readonly family?: Family; readonly table?: number | 'all'; readonly link?: string } = {},
  ): readonly ipRoute.IpRoute[] {
    const { family, table = ipRoute.mainTable, link } = filter
    const query = {
      ...(table !== 'all' && { table }),
      ...defined({ family }),
      ...(link !== undefined && { link: this.#index(link) }),
    }
    const families: readonly Family[] = family === undefined ? [4, 6] : [family]
    // A table that was never used does not exist yet, and has no routes.
    const dump = (family: Family) =>
      this.#unless('ENOENT', () =>
        this.#dump('list routes', ipRoute.RTM_ROUTE.get, (w) => ipRoute.encodeRouteQuery(w, { ...query, family })),
      ) ?? []
    return families.flatMap(dump).flatMap((message) => ipRoute.decodeRoute(message) ?? [])
  }

  /** Adds the route, in place of one to the same destination with the same metric. */
  replaceRoute(options: RouteOptions): void {
    const flags = NLM_F.create | NLM_F.replace
    const route = this.#numbered(options)
    const what = `replace route ${options.destination}`
    this.#socket.request(what, ipRoute.RTM_ROUTE.new, flags, (w) => ipRoute.encodeRoute(w, route))
  }

  /** False where it was not there. */
  deleteRoute(options: RouteOptions): boolean {
    const route = this.#numbered(options)
    const what = `delete route ${options.destination}`
    return this.#exists('ESRCH', () =>
      this.#socket.request(what, ipRoute.RTM_ROUTE.delete, 0, (w) => ipRoute.encodeRouteDelete(w, route)),
    )
  }

  neighbours(filter: { readonly family?: Family; readonly link?: string } = {}): readonly neighbour.Neighbour[] {
    const index = filter.link === undefined ? undefined : this.#index(filter.link)
    return this.#dump('list neighbours', neighbour.RTM_NEIGHBOUR.get, (w) =>
      neighbour.encodeNeighbourQuery(w, filter.family, index),
    ).flatMap((message) => neighbour.decodeNeighbour(message) ?? [])
  }

  /** A permanent entry, in place of what was known of that address. */
  replaceNeighbour(entry: { readonly link: string; readonly ip: string; readonly mac: string }): void {
    const what = `replace neighbour ${entry.ip} on ${entry.link}`
    const numbered = { ...entry, link: this.#index(entry.link) }
    const flags = NLM_F.create | NLM_F.replace
    this.#socket.request(what, neighbour.RTM_NEIGHBOUR.new, flags, (w) => neighbour.encodeNeighbour(w, numbered))
  }

  deleteNeighbour(entry: { readonly link: string; readonly ip: string }): boolean {
    const what = `delete neighbour ${entry.ip} on ${entry.link}`
    const numbered = { ...entry, link: this.#index(entry.link) }
    return this.#exists('ENOENT', () =>
      this.#socket.request(what, neighbour.RTM_NEIGHBOUR.delete, 0, (w) => neighbour.encodeNeighbour(w, numbered)),
    )
  }

  /** Forwarding entries of a bridge port or a vxlan. */
  forwarding(name: string): readonly neighbour.ForwardingEntry[] {
    const index = this.#index(name)
    const messages = this.#dump(`list forwarding entries of ${name}`, neighbour.RTM_NEIGHBOUR.get, (w) =>
      neighbour.encodeForwardingQuery(w, index),
    )
    return messages.flatMap((message) => neighbour.decodeForwarding(message) ?? []).filter(({ link }) => link === index)
  }

  /** A permanent entry; `self` (the default) is the device's own, as a vxlan needs it. */
  replaceForwarding(entry: {
    readonly link: string
    readonly mac: string
    readonly destination?: string
    readonly self?: boolean
  }): void {
    const numbered = { ...entry, link: this.#index(entry.link) }
    const what = `replace forwarding entry ${entry.mac} of ${entry.link}`
    const flags = NLM_F.create | NLM_F.replace
    this.#socket.request(what, neighbour.RTM_NEIGHBOUR.new, flags, (w) => neighbour.encodeForwarding(w, numbered))
  }

  deleteForwarding(entry: {
    readonly link: string
    readonly mac: string
    readonly destination?: string
    readonly self?: boolean
  }): boolean {
    const numbered = { ...entry, link: this.#index(entry.link) }
    const what = `delete forwarding entry ${entry.mac} of ${entry.link}`
    return this.#exists('ENOENT', () =>
      this.#socket.request(what, neighbour.RTM_NEIGHBOUR.delete, 0, (w) => neighbour.encodeForwarding(w, numbered)),
    )
  }

  rules(family?: Family): readonly rule.Rule[] {
    const families: readonly Family[] = family === undefined ? [4, 6] : [family]
    return families.flatMap((family) =>
      this.#dump('list rules', rule.RTM_RULE.get, (w) => rule.encodeRuleQuery(w, family)).map(rule.decodeRule),
    )
  }

  /** Does nothing where the very same rule is there. */
  addRule(options: rule.Rule): void {
    const flags = NLM_F.create | NLM_F.exclusive
    this.#unless('EEXIST', () =>
      this.#socket.request(`add rule ${options.priority}`, rule.RTM_RULE.new, flags, (w) =>
        rule.encodeRule(w, options),
      ),
    )
  }

  deleteRule(options: rule.Rule): boolean {
    return this.#exists('ENOENT', () =>
      this.#socket.request(`delete rule ${options.priority}`, rule.RTM_RULE.delete, 0, (w) =>
        rule.encodeRule(w, options),
      ),
    )
  }

  /** As in a link's `peerNetnsId`; undefined for a namespace that none of the links here has its other end in. */
  namespaceId(netns: string): number | undefined {
    const [answer] = this.#withFiles((file) => {
      const number = file(netns)
      const what = `number of namespace ${netns}`
      return this.#socket.request(what, RTM_NAMESPACE_ID.get, 0, (w) => encodeNamespaceIdQuery(w, number))
    })
    return answer && decodeNamespaceId(answer)
  }

  /** Hears every change in the groups named (GROUP) of this namespace; `onOverrun`: some were lost, look anew. */
  watch(groups: readonly number[], onMessage: (message: Message) => void, onOverrun: () => void): Subscription {
    return subscribe({ protocol: NETLINK.route, netns: this.#netns, groups, onMessage, onOverrun })
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }

  #add({ master, ...options }: LinkOptions, newLink: (basics: link.LinkBasics) => link.NewLink): void {
    const basics = { ...options, ...(master !== undefined && { master: this.#index(master) }) }
    const what = `add link ${options.name}`
    const flags = NLM_F.create | NLM_F.exclusive
    this.#withFiles((file) =>
      this.#socket.request(what, link.RTM_LINK.new, flags, (w) => link.encodeNewLink(w, newLink(basics), file)),
    )
  }

  #numbered({ link, ...route }: RouteOptions): ipRoute.NewRoute {
    return { ...route, ...(link !== undefined && { link: this.#index(link) }) }
  }

  #index(name: string): number {
    const found = this.link(name)
    if (found === undefined) throw new NetlinkError(`link ${name}`, { errno: 19 })
    return found.index
  }

  #dump(what: string, type: number, body: (writer: MessageWriter) => void): readonly Message[] {
    return this.#socket.request(what, type, NLM_F.dump, body)
  }

  /** Namespaces are named to the kernel by open files, which it needs only during the request. */
  #withFiles<T>(request: (file: link.NetnsFile) => T): T {
    const open: number[] = []
    try {
      return request((path) => open[open.push(openSync(path, 'r')) - 1]!)
    } finally {
      for (const file of open) closeSync(file)
    }
  }

  #exists(missing: string, request: () => unknown): boolean {
    return (
      this.#unless(missing, () => {
        request()
        return true
      }) === true
    )
  }

  #unless<T>(code: string, request: () => T): T | undefined {
    try {
      return request()
    } catch (error) {
      if (error instanceof NetlinkError && error.code === code) return undefined
      throw error
    }
  }
}

/** Without the members that are undefined. */
const defined = <T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }

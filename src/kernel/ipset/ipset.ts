// effect: netlink sockets
// Sets of addresses and ports that iptables rules look into, by nfnetlink (linux/netfilter/ipset/ip_set.h).
import { decodeEntry, encodeEntry, NET_ORDER, type SetType, setTypes } from '#kernel/ipset/entry.ts'
import { encodeHeader, headerLength, messageType, netfilterFamily } from '#kernel/netfilter/subsystem.ts'
import { type Attributes, decodeAttributes, eachAttribute, readText, readU32be } from '#kernel/netlink/message.ts'
import { readU8 } from '#kernel/netlink/message.ts'
import { type MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, type NetlinkSocket, openNetlink } from '#kernel/netlink/socket.ts'

const COMMAND = { create: 2, destroy: 3, list: 7, add: 9, delete: 10, type: 13 } as const
const ATTRIBUTE = {
  protocol: 1,
  name: 2,
  type: 3,
  revision: 4,
  family: 5,
  flags: 6,
  data: 7,
  entries: 8,
  line: 9,
  /** in the answer about a type */
  oldestRevision: 10,
} as const
const CREATE = { port: 4, portTo: 5, mostEntries: 19, count: 24 } as const
const LIST = { names: 0x2, headers: 0x4 } as const
/** Version of the protocol that all kernels of the last ten years speak. */
const protocol = 6
/** Newer revisions only add options, and an older `ipset` program cannot list their sets. */
const plainRevision = 4
const mostEntries = 1 << 20
/** An attribute has 64 KiB at most; an entry has up to 80 bytes. */
const entriesAtOnce = 500

export type SetHeader = { readonly name: string; readonly type: string; readonly entries: number | undefined }

export const openIpset = (netns?: string): Ipset => new Ipset(openNetlink({ protocol: NETLINK.netfilter, netns }))

export class Ipset implements Disposable {
  readonly #socket: NetlinkSocket

  constructor(socket: NetlinkSocket) {
    this.#socket = socket
  }

  /** Types of sets that this kernel lacks; asking loads the modules that have them. */
  missingTypes(family: 4 | 6): SetType[] {
    return setTypes.filter((type) => this.#revision(type, family) === undefined)
  }

  /** Does nothing where a set of this name and type is there. Throws NetlinkError: EEXIST where it is of another type. */
  create(name: string, type: SetType, family: 4 | 6): void {
    const what = `create the set ${name}`
    const revision = this.#revision(type, family)
    if (revision === undefined) throw new NetlinkError(`${what}: ${type}`, { errno: 95 })
    this.#request(what, COMMAND.create, NLM_F.create, (writer) => {
      writer.attributeText(ATTRIBUTE.name, name).attributeText(ATTRIBUTE.type, type)
      writer.attributeU8(ATTRIBUTE.revision, revision).attributeU8(ATTRIBUTE.family, familyOf(type, family))
      writer.nest(ATTRIBUTE.data, () => {
        if (type === 'bitmap:port')
          writer.attributeU16be(CREATE.port | NET_ORDER, 0).attributeU16be(CREATE.portTo | NET_ORDER, 65535)
        else writer.attributeU32be(CREATE.mostEntries | NET_ORDER, mostEntries)
      })
    })
  }

  /** False where there was none. Throws NetlinkError where a rule still looks into it. */
  destroy(name: string): boolean {
    try {
      this.#request(`destroy the set ${name}`, COMMAND.destroy, 0, (writer) =>
        writer.attributeText(ATTRIBUTE.name, name),
      )
      return true
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'ENOENT') return false
      throw error
    }
  }

  /** All sets of the namespace, or the one named; empty where there is none. The number of entries is Linux 4.19's. */
  headers(name?: string): SetHeader[] {
    return this.#list(LIST.headers, name).map((attributes) => {
      const count = decodeAttributes(attributes.get(ATTRIBUTE.data)).get(CREATE.count)
      return {
        name: readText(attributes.get(ATTRIBUTE.name)!),
        type: readText(attributes.get(ATTRIBUTE.type)!),
        entries: count && readU32be(count),
      }
    })
  }

  /** In the form of `ipset save`; empty also where there is no such set. */
  entries(name: string): string[] {
    const entries: string[] = []
    for (const attributes of this.#list(0, name)) {
      const list = attributes.get(ATTRIBUTE.entries)
      if (list) eachAttribute(list, 0, (_, payload) => entries.push(decodeEntry(payload)))
    }
    return entries
  }

  /** Adds what is missing of them. */
  add(name: string, type: SetType, entries: Iterable<string>): void {
    this.#change('add to', COMMAND.add, name, type, entries)
  }

  /** Takes away what is there of them. */
  delete(name: string, type: SetType, entries: Iterable<string>): void {
    this.#change('delete from', COMMAND.delete, name, type, entries)
  }

  #change(verb: string, command: number, name: string, type: SetType, entries: Iterable<string>): void {
    const all = [...entries]
    for (let from = 0; from < all.length; from += entriesAtOnce)
      this.#request(`${verb} the set ${name}`, command, 0, (writer) => {
        writer.attributeText(ATTRIBUTE.name, name).attributeU32(ATTRIBUTE.line, 0)
        writer.nest(ATTRIBUTE.entries, () => {
          for (const entry of all.slice(from, from + entriesAtOnce))
            writer.nest(ATTRIBUTE.data, () => encodeEntry(writer, type, entry))
        })
      })
  }

  #list(flags: number, name: string | undefined): Attributes[] {
    try {
      return this.#request('list sets', COMMAND.list, NLM_F.dump, (writer) => {
        if (name !== undefined) writer.attributeText(ATTRIBUTE.name, name)
        if (flags !== 0) writer.attributeU32be(ATTRIBUTE.flags | NET_ORDER, flags)
      })
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'ENOENT') return []
      throw error
    }
  }

  #revision(type: SetType, family: 4 | 6): number | undefined {
    try {
      const [answer] = this.#request(`ask for sets of type ${type}`, COMMAND.type, 0, (writer) =>
        writer.attributeText(ATTRIBUTE.type, type).attributeU8(ATTRIBUTE.family, familyOf(type, family)),
      )
      const newest = answer?.get(ATTRIBUTE.revision)
      const oldest = answer?.get(ATTRIBUTE.oldestRevision)
      return newest && Math.max(oldest ? readU8(oldest) : 0, Math.min(readU8(newest), plainRevision))
    } catch (error) {
      // ENOENT: no such type; EINVAL: no ipset at all.
      if (error instanceof NetlinkError) return undefined
      throw error
    }
  }

  #request(what: string, command: number, flags: number, body: (writer: MessageWriter) => unknown): Attributes[] {
    return this.#socket
      .request(what, messageType('ipset', command), flags, (writer) => {
        encodeHeader(writer, 4).attributeU8(ATTRIBUTE.protocol, protocol)
        body(writer)
      })
      .map(({ payload }) => decodeAttributes(payload, headerLength))
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }
}

const familyOf = (type: SetType, family: 4 | 6) => (type === 'bitmap:port' ? 0 : netfilterFamily(family))

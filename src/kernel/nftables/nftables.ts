// effect: netlink sockets
// Transactions on nftables, and what is there now.
import { type NftBatch, CHAIN, ELEMENT, ELEMENTS, NFT, RULE, SET, TABLE } from '#kernel/nftables/batch.ts'
import { userdataText } from '#kernel/nftables/decode-rule.ts'
import { decodeElements } from '#kernel/nftables/decode-set.ts'
import type { NftElement } from '#kernel/nftables/ruleset.ts'
import { encodeHeader, headerLength, messageType, type NetfilterFamily } from '#kernel/netfilter/subsystem.ts'
import { generationOf } from '#kernel/netfilter/generation.ts'
import { type Attributes, decodeAck, decodeAttributes, NLMSG } from '#kernel/netlink/message.ts'
import { readText, readU64be } from '#kernel/netlink/message.ts'
import { type MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, type NetlinkSocket, openNetlink } from '#kernel/netlink/socket.ts'

/** A transaction was refused, and nothing of it happened. `code` is the errno's name, `operation` what it was about. */
export class NftablesError extends Error {
  readonly code: string
  readonly operation: string
  constructor(operation: string, cause: NetlinkError) {
    super(`nftables: ${operation}: ${cause.message}`, { cause })
    this.name = 'NftablesError'
    this.code = cause.code
    this.operation = operation
  }
}

export const openNftables = (family: NetfilterFamily, netns?: string): Nftables =>
  new Nftables(family, openNetlink({ protocol: NETLINK.netfilter, netns }))

export class Nftables implements Disposable {
  readonly family: NetfilterFamily
  readonly #socket: NetlinkSocket
  #sendBuffer = 0
  #hasHeard = false

  constructor(family: NetfilterFamily, socket: NetlinkSocket) {
    this.family = family
    this.#socket = socket
  }

  /** Returns when the kernel has done all of it, and leaves the batch empty. Throws NftablesError. */
  commit(batch: NftBatch): void {
    if (batch.isEmpty) return
    const bytes = batch.finish()
    // The kernel takes a transaction in one piece, however long it is.
    if (bytes.length * 2 > this.#sendBuffer) {
      this.#sendBuffer = Math.max(bytes.length * 4, 1 << 20)
      this.#socket.reserveSendBuffer(this.#sendBuffer)
    }
    const answers = this.#socket.exchange(bytes, ({ type }) => type === NLMSG.error)
    const refusal = answers.find((message) => message.type === NLMSG.error && decodeAck(message).errno !== 0)
    const operation = refusal && batch.operation(refusal.sequence)
    batch.reset()
    if (refusal === undefined || operation === undefined) return
    // One refusal may be followed by others; the socket must be empty for the next transaction.
    while (this.#socket.drain().length > 0);
    throw new NftablesError(operation, new NetlinkError(operation, decodeAck(refusal)))
  }

  generation(): number {
    this.#hasHeard = true
    return generationOf(this.#socket)
  }

  /** Undefined where there is no such table; a new table of the same name has another handle. */
  table(name: string): { readonly handle: bigint; readonly comment: string } | undefined {
    const [answer] = this.#get('get table', NFT.getTable, 0, (w) => w.attributeText(TABLE.name, name))
    const handle = answer?.get(TABLE.handle)
    return handle && { handle: readU64be(handle), comment: userdataText(answer?.get(TABLE.userdata), 0) }
  }

  /** The names of all tables of the family. */
  tables(): string[] {
    return this.#get('list tables', NFT.getTable, NLM_F.dump, () => undefined).map((attributes) =>
      textOf(attributes, TABLE.name),
    )
  }

  chains(table: string): string[] {
    return this.#get('list chains', NFT.getChain, NLM_F.dump, () => undefined)
      .filter((attributes) => textOf(attributes, CHAIN.table) === table)
      .map((attributes) => textOf(attributes, CHAIN.name))
  }

  /** How many rules each chain of a table has; chains without rules are not listed. */
  ruleCounts(table: string): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const attributes of this.#get('list rules', NFT.getRule, NLM_F.dump, (w) =>
      w.attributeText(RULE.table, table),
    )) {
      const chain = textOf(attributes, RULE.chain)
      counts.set(chain, (counts.get(chain) ?? 0) + 1)
    }
    return counts
  }

  sets(table: string): string[] {
    return this.#get('list sets', NFT.getSet, NLM_F.dump, (w) => w.attributeText(SET.table, table)).map((attributes) =>
      textOf(attributes, SET.name),
    )
  }

  /** All elements of a set. */
  elements(table: string, set: string): NftElement[] {
    const ask = (w: MessageWriter) => w.attributeText(ELEMENTS.table, table).attributeText(ELEMENTS.set, set)
    return this.#get('list elements', NFT.getElement, NLM_F.dump, ask).flatMap(decodeElements)
  }

  /** Whether a set has an element of this key; false also where there is no such set. */
  hasElement(table: string, set: string, key: Uint8Array): boolean {
    const answers = this.#get('get element', NFT.getElement, 0, (w) =>
      w
        .attributeText(ELEMENTS.table, table)
        .attributeText(ELEMENTS.set, set)
        .nest(ELEMENTS.list, () => w.nest(1, () => w.nest(ELEMENT.key, () => w.attribute(1, key)))),
    )
    return answers.length > 0
  }

  /** Empty where the thing asked for is not there. */
  #get(what: string, type: number, flags: number, body: (writer: MessageWriter) => unknown): Attributes[] {
    // A set that others write to may be rearranged between two messages of a dump, and then elements are left out that were there all
    // the time. The kernel fills a message up to what it has seen this socket take: most sets then come in one.
    if (!this.#hasHeard) this.generation()
    try {
      return this.#socket
        .request(what, messageType('nftables', type), flags, (writer) => {
          encodeHeader(writer, this.family)
          body(writer)
        })
        .map(({ payload }) => decodeAttributes(payload, headerLength))
    } catch (error) {
      if (error instanceof NetlinkError && error.code === 'ENOENT') return []
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }
}

const textOf = (attributes: Attributes, type: number): string => {
  const bytes = attributes.get(type)
  return bytes === undefined ? '' : readText(bytes)
}

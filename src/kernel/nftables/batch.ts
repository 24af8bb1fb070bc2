// A transaction of nftables as bytes: all of it happens, or nothing. Each operation is a netlink message; what they say
// is in linux/netfilter/nf_tables.h.
import { type Datatype, datatypeLength, datatypeNumber, partLength } from '#kernel/nftables/datatype.ts'
import { verdictDatatype, verdictLength } from '#kernel/nftables/datatype.ts'
import { type Expression, writeVerdict, type Verdict } from '#kernel/nftables/expression.ts'
import { encodeHeader, messageType, type NetfilterFamily } from '#kernel/netfilter/subsystem.ts'
import { MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'

export const NFT = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  getSet: 10,
  deleteSet: 11,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
} as const
const BATCH = { begin: 16, end: 17 } as const
export const TABLE = { name: 1, flags: 2, use: 3, handle: 4, userdata: 6 } as const
export const CHAIN = { table: 1, handle: 2, name: 3, hook: 4, policy: 5, use: 6, type: 7, userdata: 12 } as const
export const RULE = { table: 1, chain: 2, handle: 3, expressions: 4, userdata: 7 } as const
export const SET = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLength: 5,
  dataType: 6,
  dataLength: 7,
  description: 9,
  id: 10,
  timeout: 11,
  userdata: 13,
} as const
export const ELEMENTS = { table: 1, set: 2, list: 3 } as const
export const ELEMENT = { key: 1, data: 2, flags: 3, timeout: 4, expiration: 5, userdata: 6, keyEnd: 10 } as const
const TABLE_FLAG = { owner: 0x2 } as const
const SET_FLAG = { interval: 0x4, map: 0x8, timeout: 0x10, dynamic: 0x20, concatenated: 0x80 } as const
const DESCRIPTION = { size: 1, concatenation: 2 } as const
const LIST_ELEMENT = 1
const VALUE = 1
/** A list of elements is one attribute, whose length has 16 bits. */
const mostListBytes = 60_000
const mostKeptBytes = 1 << 20

export type BaseChain = {
  readonly type: 'nat' | 'filter'
  readonly hook: keyof typeof hooks
  readonly priority: number
}
const hooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const

export type NewSet = {
  readonly name: string
  readonly key: readonly Datatype[]
  /** makes it a map */
  readonly data?: readonly Datatype[] | 'verdict'
  /** keys are ranges */
  readonly interval?: true
  /** rules may change it; elements go after this time unless they say otherwise */
  readonly dynamic?: { readonly timeoutMs: number }
  /** at most so many elements */
  readonly size?: number
  readonly comment?: string
}

/** What an element says besides its key; written by the caller as bytes. */
export type ElementOptions = {
  readonly end?: Uint8Array | undefined
  readonly data?: Uint8Array | Verdict | undefined
  /** the userdata that `commentBytes` makes */
  readonly comment?: Uint8Array | undefined
  /** the end of a range, for sets of ranges of one part */
  readonly isEnd?: boolean
  readonly timeoutMs?: number | undefined
  readonly expiresMs?: number | undefined
}

const encoder = new TextEncoder()
const mostCommentBytes = 253
/** A comment as nft keeps it with elements, rules, chains and tables: at most 253 bytes. */
export function commentBytes(text: string, type = 0): Uint8Array {
  return asciiComment(text, type) ?? encodedComment(text, type)
}

/** Names are ASCII, and the encoder costs more than all the rest of an element. */
function asciiComment(text: string, type: number): Uint8Array | undefined {
  if (text.length > mostCommentBytes) return undefined
  const userdata = new Uint8Array(text.length + 3)
  userdata[0] = type
  userdata[1] = text.length + 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return undefined
    userdata[i + 2] = code
  }
  return userdata
}

function encodedComment(text: string, type: number): Uint8Array {
  const bytes = encoder.encode(text).subarray(0, mostCommentBytes)
  const userdata = new Uint8Array(bytes.length + 3)
  userdata[0] = type
  userdata[1] = bytes.length + 1
  userdata.set(bytes, 2)
  return userdata
}

export class NftBatch {
  readonly #family: NetfilterFamily
  readonly #table: string
  readonly #writer: MessageWriter
  /** what each message does, by its sequence number, for errors */
  readonly #operations: string[] = []
  #openSet: string | undefined
  #openType = 0
  #openSince = 0
  #listNest = 0
  #setId = 0

  constructor(family: NetfilterFamily, table: string, capacity = 4096) {
    this.#family = family
    this.#table = table
    this.#writer = new MessageWriter(capacity)
    this.reset()
  }

  /** Forgets all operations; keeps the memory unless it is much. */
  reset(): void {
    this.#writer.reset(mostKeptBytes)
    this.#operations.length = 0
    this.#openSet = undefined
    this.#begin(BATCH.begin, 0, 'begin', 10)
    this.#writer.end()
  }

  /** For so many bytes of operations, where they are known to come. */
  reserve(bytes: number): void {
    this.#writer.reserve(bytes)
  }

  get isEmpty(): boolean {
    return this.#operations.length === 1
  }
  /** What the message of this sequence number was to do. */
  operation(sequence: number): string {
    return this.#operations[sequence] ?? `message ${sequence}`
  }

  /** The whole transaction. The kernel answers its last operation when all is done, or each that failed. */
  finish(): Uint8Array {
    this.#closeElements()
    this.#writer.addFlags(NLM_F.ack)
    this.#begin(BATCH.end, 0, 'end', 10)
    return this.#writer.end().bytes
  }

  /**
   * `exclusive`: where there is one of the name already, the transaction is refused with EEXIST. `owned`: nobody else
   * can change it, and it goes when the socket that commits it is closed, also by the end of the process.
   */
  addTable(
    comment: string,
    { exclusive = false, owned = false }: { readonly exclusive?: boolean; readonly owned?: boolean } = {},
  ): void {
    const flags = NLM_F.create | (exclusive ? NLM_F.exclusive : 0)
    this.#operation(NFT.newTable, flags, 'add table', (w) => {
      w.attributeText(TABLE.name, this.#table).attribute(TABLE.userdata, commentBytes(comment))
      if (owned) w.attributeU32be(TABLE.flags, TABLE_FLAG.owner)
    })
  }
  deleteTable(): void {
    this.#operation(NFT.deleteTable, 0, 'delete table', (w) => w.attributeText(TABLE.name, this.#table))
  }

  addChain(name: string, { base, comment }: { readonly base?: BaseChain; readonly comment?: string } = {}): void {
    this.#operation(NFT.newChain, NLM_F.create, `add chain ${name}`, (w) => {
      w.attributeText(CHAIN.table, this.#table).attributeText(CHAIN.name, name)
      if (base !== undefined)
        w.nest(CHAIN.hook, () =>
          w.attributeU32be(1, hooks[base.hook]).attributeU32be(2, base.priority >>> 0),
        ).attributeText(CHAIN.type, base.type)
      if (comment !== undefined) w.attribute(CHAIN.userdata, commentBytes(comment))
    })
  }

  addRule(chain: string, expressions: readonly Expression[], comment?: string): void {
    this.#operation(NFT.newRule, NLM_F.create | NLM_F.append, `add rule to ${chain}`, (w) => {
      w.attributeText(RULE.table, this.#table).attributeText(RULE.chain, chain)
      w.nest(RULE.expressions, () => {
        for (const write of expressions) write(w)
      })
      if (comment !== undefined) w.attribute(RULE.userdata, commentBytes(comment))
    })
  }

  addSet({ name, key, data, interval, dynamic, size, comment }: NewSet): void {
    const isConcatenated = interval === true && key.length > 1
    const flags =
      (data === undefined ? 0 : SET_FLAG.map) |
      (interval ? SET_FLAG.interval : 0) |
      (isConcatenated ? SET_FLAG.concatenated : 0) |
      (dynamic === undefined ? 0 : SET_FLAG.dynamic | SET_FLAG.timeout)
    this.#operation(NFT.newSet, NLM_F.create, `add set ${name}`, (w) => {
      w.attributeText(SET.table, this.#table).attributeText(SET.name, name).attributeU32be(SET.flags, flags)
      w.attributeU32be(SET.keyType, datatypeNumber(key)).attributeU32be(SET.keyLength, datatypeLength(key))
      if (data === 'verdict')
        w.attributeU32be(SET.dataType, verdictDatatype).attributeU32be(SET.dataLength, verdictLength)
      else if (data !== undefined)
        w.attributeU32be(SET.dataType, datatypeNumber(data)).attributeU32be(SET.dataLength, datatypeLength(data))
      if (dynamic !== undefined) w.attributeU64be(SET.timeout, BigInt(dynamic.timeoutMs))
      if (size !== undefined || isConcatenated)
        w.nest(SET.description, () => {
          if (size !== undefined) w.attributeU32be(DESCRIPTION.size, size)
          if (isConcatenated)
            w.nest(DESCRIPTION.concatenation, () => {
              for (const part of key) w.nest(LIST_ELEMENT, () => w.attributeU32be(1, partLength(part)))
            })
        })
      w.attributeU32be(SET.id, ++this.#setId)
      w.attribute(SET.userdata, setUserdata(key, comment))
    })
  }

  /** `key` writes nothing but the bytes of the key; neighbouring elements of one set share a message. */
  addElement(set: string, key: Uint8Array, options: ElementOptions = {}): void {
    this.#element(NFT.newElement, set, key, options)
  }
  deleteElement(set: string, key: Uint8Array, options: Pick<ElementOptions, 'end' | 'isEnd'> = {}): void {
    this.#element(NFT.deleteElement, set, key, options)
  }

  #element(type: number, set: string, key: Uint8Array, options: ElementOptions): void {
    const w = this.#writer
    const isSame = this.#openSet === set && this.#openType === type
    if (!isSame || w.length - this.#openSince > mostListBytes) {
      this.#closeElements()
      const name = type === NFT.newElement ? `add elements to ${set}` : `delete elements of ${set}`
      this.#begin(messageType('nftables', type), type === NFT.newElement ? NLM_F.create : 0, name)
      w.attributeText(ELEMENTS.table, this.#table).attributeText(ELEMENTS.set, set)
      this.#listNest = w.openNest(ELEMENTS.list)
      this.#openSet = set
      this.#openType = type
      this.#openSince = w.length
    }
    const element = w.openNest(LIST_ELEMENT)
    writeBytes(w, ELEMENT.key, key)
    const { end, data, comment, isEnd, timeoutMs, expiresMs } = options
    if (end !== undefined) writeBytes(w, ELEMENT.keyEnd, end)
    if (isEnd) w.attributeU32be(ELEMENT.flags, 1)
    if (data instanceof Uint8Array) writeBytes(w, ELEMENT.data, data)
    else if (data !== undefined) writeVerdict(w, ELEMENT.data, data)
    if (timeoutMs !== undefined) w.attributeU64be(ELEMENT.timeout, BigInt(timeoutMs))
    if (expiresMs !== undefined) w.attributeU64be(ELEMENT.expiration, BigInt(expiresMs))
    if (comment !== undefined) w.attribute(ELEMENT.userdata, comment)
    w.closeNest(element)
  }

  #closeElements(): void {
    if (this.#openSet === undefined) return
    this.#openSet = undefined
    this.#writer.closeNest(this.#listNest)
    this.#writer.end()
  }

  #operation(type: number, flags: number, name: string, body: (writer: MessageWriter) => void): void {
    this.#closeElements()
    this.#begin(messageType('nftables', type), flags, name)
    body(this.#writer)
    this.#writer.end()
  }

  #begin(type: number, flags: number, name: string, resource = 0): void {
    const sequence = this.#operations.length
    this.#operations.push(name)
    this.#writer.begin(type, NLM_F.request | flags, sequence)
    encodeHeader(this.#writer, resource === 0 ? this.#family : undefined, resource)
  }
}

function writeBytes(writer: MessageWriter, type: number, bytes: Uint8Array): void {
  const nest = writer.openNest(type)
  writer.attribute(VALUE, bytes)
  writer.closeNest(nest)
}

/** Numbers in the machine's order have to say so, or nft prints them swapped. */
function setUserdata(key: readonly Datatype[], comment: string | undefined): Uint8Array {
  const order = key.length === 1 && key[0] === 'number' ? [0, 4, 1, 0, 0, 0] : []
  return Uint8Array.from([...order, ...(comment === undefined ? [] : commentBytes(comment, 7))])
}

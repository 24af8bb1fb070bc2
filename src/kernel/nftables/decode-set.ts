// Sets of nftables and their elements out of the kernel's bytes (linux/netfilter/nf_tables.h).
import { ELEMENT, ELEMENTS, SET } from '#kernel/nftables/batch.ts'
import { datatypeLengths, datatypeNames, verdictDatatype } from '#kernel/nftables/datatype.ts'
import { decodeVerdict, userdataText } from '#kernel/nftables/decode-rule.ts'
import type { NftElement, NftSet } from '#kernel/nftables/ruleset.ts'
import { type Attributes, decodeAttributes, eachAttribute, readText } from '#kernel/netlink/message.ts'
import { readU32be, readU64be } from '#kernel/netlink/message.ts'

const FLAG = { anonymous: 1, interval: 4, map: 8, dynamic: 0x20, concatenated: 0x80 } as const
const ELEMENT_FLAG = { isEnd: 1, catchAll: 2 } as const
const setCommentType = 7

/** What a set is, without its elements. */
export function decodeSet(attributes: Attributes): Omit<NftSet, 'elements'> {
  const number = (type: number) => {
    const bytes = attributes.get(type)
    return bytes ? readU32be(bytes) : 0
  }
  const flags = number(SET.flags)
  const key = datatypeNames(number(SET.keyType))
  const description = decodeAttributes(attributes.get(SET.description))
  const size = description.get(1)
  const timeout = attributes.get(SET.timeout)
  const name = attributes.get(SET.name)
  return {
    name: name ? readText(name) : '',
    comment: userdataText(attributes.get(SET.userdata), setCommentType),
    anonymous: (flags & FLAG.anonymous) !== 0,
    key,
    keyLengths: partLengths(description.get(2)) ?? datatypeLengths(key, number(SET.keyLength)),
    ...((flags & FLAG.map) !== 0 && decodeData(number(SET.dataType), number(SET.dataLength))),
    interval: (flags & FLAG.interval) !== 0,
    concatenated: (flags & FLAG.concatenated) !== 0,
    dynamic: (flags & FLAG.dynamic) !== 0,
    ...(timeout && { timeoutMs: Number(readU64be(timeout)) }),
    ...(size && { size: readU32be(size) }),
  }
}

function decodeData(type: number, length: number): Pick<NftSet, 'data' | 'dataLengths'> {
  if (type === verdictDatatype) return { data: 'verdict' }
  const data = datatypeNames(type)
  return { data, dataLengths: datatypeLengths(data, length) }
}

/** Each part takes whole registers of 4 bytes. */
function partLengths(concatenation: Uint8Array | undefined): number[] | undefined {
  if (concatenation === undefined) return undefined
  const lengths: number[] = []
  eachAttribute(concatenation, 0, (_, part) => {
    const length = decodeAttributes(part).get(1)
    lengths.push(length ? Math.ceil(readU32be(length) / 4) * 4 : 0)
  })
  return lengths
}

/** The elements that one message of a dump brings. */
export function decodeElements(attributes: Attributes): NftElement[] {
  const list = attributes.get(ELEMENTS.list)
  const elements: NftElement[] = []
  if (list !== undefined)
    eachAttribute(list, 0, (_, payload) => elements.push(decodeElement(decodeAttributes(payload))))
  return elements
}

function decodeElement(attributes: Attributes): NftElement {
  const value = (type: number) => decodeAttributes(attributes.get(type)).get(1)
  const milliseconds = (type: number) => {
    const bytes = attributes.get(type)
    return bytes && Number(readU64be(bytes))
  }
  const flagBytes = attributes.get(ELEMENT.flags)
  const flags = flagBytes ? readU32be(flagBytes) : 0
  const [keyEnd, data] = [value(ELEMENT.keyEnd), value(ELEMENT.data)]
  const [timeoutMs, expiresMs] = [milliseconds(ELEMENT.timeout), milliseconds(ELEMENT.expiration)]
  const comment = userdataText(attributes.get(ELEMENT.userdata), 0)
  const verdict = decodeAttributes(attributes.get(ELEMENT.data)).get(2)
  return {
    key: value(ELEMENT.key) ?? new Uint8Array(),
    ...(keyEnd && { keyEnd }),
    ...((flags & ELEMENT_FLAG.isEnd) !== 0 && { isEnd: true }),
    ...((flags & ELEMENT_FLAG.catchAll) !== 0 && { catchAll: true }),
    ...(data && { data }),
    ...(verdict && { verdict: decodeVerdict(verdict) }),
    ...(comment !== '' && { comment }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(expiresMs !== undefined && { expiresMs }),
  }
}

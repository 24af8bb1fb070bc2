// effect: netlink sockets
// All of nftables of a namespace as values, of every family, whoever made it.
import { CHAIN, ELEMENTS, NFT, RULE, SET, TABLE } from '#kernel/nftables/batch.ts'
import { decodeRule, userdataText } from '#kernel/nftables/decode-rule.ts'
import { decodeElements, decodeSet } from '#kernel/nftables/decode-set.ts'
import {
  type NftChain,
  type NftFamily,
  nftFamilies,
  type NftHook,
  type NftRuleset,
  type NftTable,
} from '#kernel/nftables/ruleset.ts'
import { generationOf } from '#kernel/netfilter/generation.ts'
import { headerLength, messageType } from '#kernel/netfilter/subsystem.ts'
import { type Attributes, decodeAttributes, eachAttribute, readText, readU32be } from '#kernel/netlink/message.ts'
import { type MessageWriter, NLM_F } from '#kernel/netlink/message-writer.ts'
import { NETLINK, NetlinkError, type NetlinkSocket, openNetlink } from '#kernel/netlink/socket.ts'

export type ReadOptions = {
  readonly netns?: string | undefined
  /** only tables of this name */
  readonly table?: string
}

const attempts = 5

/** Reads again where something changed in between, but not for ever (`torn`). Throws NetlinkError. */
export function readRuleset({ netns, table }: ReadOptions = {}): NftRuleset {
  using socket = openNetlink({ protocol: NETLINK.netfilter, netns })
  for (let attempt = 1; ; attempt++) {
    const generation = generationOf(socket)
    const tables = readTables(socket, table)
    const torn = generationOf(socket) !== generation
    if (!torn || attempt === attempts) return { generation, torn, tables }
  }
}

type Found = { readonly family: number; readonly attributes: Attributes }

function readTables(socket: NetlinkSocket, only: string | undefined): NftTable[] {
  const ofTable = (found: readonly Found[], type: number) =>
    Map.groupBy(found, ({ family, attributes }) => `${family} ${textOf(attributes, type)}`)
  const tables = dump(socket, 'list tables', NFT.getTable)
  const chains = ofTable(dump(socket, 'list chains', NFT.getChain), CHAIN.table)
  const rules = ofTable(dump(socket, 'list rules', NFT.getRule), RULE.table)
  const sets = ofTable(dump(socket, 'list sets', NFT.getSet), SET.table)
  return tables.flatMap(({ family, attributes }) => {
    const name = textOf(attributes, TABLE.name)
    const known = nftFamilies.get(family)
    if (known === undefined || (only !== undefined && name !== only)) return []
    const key = `${family} ${name}`
    const byChain = Map.groupBy(rules.get(key) ?? [], (rule) => textOf(rule.attributes, RULE.chain))
    const flags = attributes.get(TABLE.flags)
    return {
      family: known,
      name,
      comment: userdataText(attributes.get(TABLE.userdata), 0),
      dormant: flags !== undefined && (readU32be(flags) & 1) !== 0,
      chains: (chains.get(key) ?? []).map((chain) => decodeChain(chain.attributes, byChain, known)),
      sets: (sets.get(key) ?? []).map((set) => ({
        ...decodeSet(set.attributes),
        elements: readElements(socket, family, name, textOf(set.attributes, SET.name)),
      })),
    }
  })
}

const hooks: readonly NftHook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress']
const deviceHooks: readonly NftHook[] = ['ingress', 'egress']

function decodeChain(
  attributes: Attributes,
  rules: ReadonlyMap<string, readonly Found[]>,
  family: NftFamily,
): NftChain {
  const name = textOf(attributes, CHAIN.name)
  const common = {
    name,
    comment: userdataText(attributes.get(CHAIN.userdata), 0),
    rules: (rules.get(name) ?? []).map((rule) => decodeRule(rule.attributes)),
  }
  const hook = attributes.get(CHAIN.hook)
  if (hook === undefined) return common
  const parts = decodeAttributes(hook)
  const number = (bytes: Uint8Array | undefined) => (bytes ? readU32be(bytes) | 0 : 0)
  const [device, ...moreDevices] = devicesOf(parts)
  return {
    ...common,
    base: {
      type: textOf(attributes, CHAIN.type),
      hook: (family === 'netdev' ? deviceHooks : hooks)[number(parts.get(1))] ?? 'prerouting',
      priority: number(parts.get(2)),
      policy: number(attributes.get(CHAIN.policy)) === 0 ? 'drop' : 'accept',
      ...(device !== undefined && { device }),
      ...(moreDevices.length > 0 && { moreDevices }),
    },
  }
}

/** One device stands by itself, several in a list of their own. */
function devicesOf(parts: Attributes): string[] {
  const names: string[] = []
  const many = parts.get(4)
  if (many !== undefined) eachAttribute(many, 0, (_, name) => names.push(readText(name)))
  const one = parts.get(3)
  return names.length > 0 || one === undefined ? names : [readText(one)]
}

/** A set that is gone by now has no elements. */
function readElements(socket: NetlinkSocket, family: number, table: string, set: string) {
  try {
    const ask = (w: MessageWriter) => w.attributeText(ELEMENTS.table, table).attributeText(ELEMENTS.set, set)
    return dump(socket, 'list elements', NFT.getElement, family, ask).flatMap(({ attributes }) =>
      decodeElements(attributes),
    )
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'ENOENT') return []
    throw error
  }
}

/** Family 0 asks for all. */
function dump(
  socket: NetlinkSocket,
  what: string,
  type: number,
  family = 0,
  body?: (writer: MessageWriter) => unknown,
): Found[] {
  const answer = socket.request(what, messageType('nftables', type), NLM_F.dump, (writer) => {
    writer.u8(family).u8(0).u16be(0)
    body?.(writer)
  })
  return answer.map(({ payload }) => ({ family: payload[0]!, attributes: decodeAttributes(payload, headerLength) }))
}

function textOf(attributes: Attributes, type: number): string {
  const bytes = attributes.get(type)
  return bytes === undefined ? '' : readText(bytes)
}

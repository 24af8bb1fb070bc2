// `ip link` and `ip addr`, plain and as JSON (-j), with or without details (-d): interfaces and their addresses.
import {
  defined,
  isJson,
  isObject,
  type JsonObject,
  numberOf,
  type Parsed,
  parseObjects,
  textOf,
  type Unread,
  wordsOf,
} from '#kernel/dump/lines.ts'
import { canonicalIp } from '#lib/ip.ts'

export type DumpedLink = {
  readonly index: number
  readonly name: string
  /** `veth`, `bridge`, `vxlan` ...: only in dumps with details */
  readonly kind?: string
  readonly mac?: string
  readonly mtu: number
  readonly up: boolean
  readonly carrier: boolean
  readonly loopback: boolean
  /** the bridge that it is a port of */
  readonly master?: string
  /** what stands behind `@`: the other end of a veth pair by name, or `if7` where that is in another namespace */
  readonly peer?: string
  readonly hairpin?: boolean
  readonly vxlan?: DumpedVxlan
  /** undefined: the dump does not show addresses (`ip link`) */
  readonly addresses?: readonly DumpedAddress[]
}

export type DumpedVxlan = {
  readonly id: number
  readonly port: number
  readonly local?: string
  readonly device?: string
  readonly learning: boolean
}

export type DumpedAddress = {
  readonly ip: string
  readonly prefix: number
  readonly scope: string
  readonly peer?: string
}

export function parseLinks(text: string): Parsed<DumpedLink[]> {
  return isJson(text) ? parseObjects(text, readObject) : parsePlain(text)
}

function readObject(object: JsonObject): DumpedLink | undefined {
  const [index, name] = [numberOf(object['ifindex']), textOf(object['ifname'])]
  if (index === undefined || name === undefined) return undefined
  const flags = Array.isArray(object['flags']) ? object['flags'] : []
  const info = isObject(object['linkinfo']) ? object['linkinfo'] : {}
  const data = isObject(info['info_data']) ? info['info_data'] : {}
  const port = isObject(info['info_slave_data']) ? info['info_slave_data'] : {}
  const kind = textOf(info['info_kind'])
  const peerIndex = numberOf(object['link_index'])
  const addresses = object['addr_info']
  return defined({
    index,
    name,
    kind,
    mac: textOf(object['link_type']) === 'loopback' ? undefined : textOf(object['address']),
    mtu: numberOf(object['mtu']) ?? 0,
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    loopback: flags.includes('LOOPBACK'),
    master: textOf(object['master']),
    peer: textOf(object['link']) ?? (peerIndex === undefined ? undefined : `if${peerIndex}`),
    hairpin: typeof port['hairpin'] === 'boolean' ? port['hairpin'] : undefined,
    vxlan: kind === 'vxlan' && numberOf(data['id']) !== undefined ? readVxlan(data) : undefined,
    addresses: Array.isArray(addresses) ? addresses.flatMap(readAddress) : undefined,
  })
}

const readVxlan = (data: JsonObject): DumpedVxlan =>
  defined({
    id: numberOf(data['id'])!,
    port: numberOf(data['port']) ?? 8472,
    local: textOf(data['local']) ?? textOf(data['local6']),
    device: textOf(data['link']),
    learning: data['learning'] === true,
  })

function readAddress(value: unknown): DumpedAddress[] {
  if (!isObject(value)) return []
  const ip = canonicalIp(textOf(value['local']) ?? '')
  const prefix = numberOf(value['prefixlen'])
  if (ip === undefined || prefix === undefined) return []
  // A point-to-point address: the prefix belongs to the other end.
  const peer = canonicalIp(textOf(value['address']) ?? '')
  return [defined({ ip, prefix, scope: textOf(value['scope']) ?? 'global', peer })]
}

type Draft = { -readonly [K in keyof DumpedLink]: DumpedLink[K] }

/** `2: eth0@if7: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master cni0 state UP ...` */
const head = /^(\d+): ([^\s@]+?)(?:@(\S+))?: <([^>]*)> mtu (\d+)(.*)$/

function parsePlain(text: string): Parsed<DumpedLink[]> {
  const links: Draft[] = []
  const unread: Unread[] = []
  // Without a single address in the whole text it is `ip link`, which does not show them.
  const showsAddresses = /^\s+inet6? /m.test(text)
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const found = head.exec(line)
    if (found !== null) links.push(readHead(found, showsAddresses))
    else if (!/^\s/.test(line) || links.length === 0 || !readDetail(line, links.at(-1)!))
      unread.push({ line: index + 1, text: line.slice(0, 200) })
  }
  return { value: links, unread }
}

function readHead([, index, name, peer, flagText, mtu, more]: RegExpExecArray, showsAddresses: boolean): Draft {
  const flags = flagText!.split(',')
  return defined({
    index: Number(index),
    name: name!,
    mtu: Number(mtu),
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    loopback: flags.includes('LOOPBACK'),
    master: / master (\S+)/.exec(more!)?.[1],
    peer: peer === 'NONE' ? undefined : peer,
    addresses: showsAddresses ? [] : undefined,
  })
}

const kinds = ['veth', 'bridge', 'vxlan', 'dummy', 'tun', 'ipip', 'wireguard', 'vlan', 'macvlan', 'ipvlan', 'geneve']

/** The lines below the first; false where one says nothing that is known. */
function readDetail(line: string, link: Draft): boolean {
  const words = wordsOf(line)
  const [first = '', second = ''] = words
  if (first === 'inet' || first === 'inet6') {
    const [local = '', length] = second.split('/')
    const ip = canonicalIp(local)
    const peer = words[2] === 'peer' ? words[3]!.split('/') : undefined
    if (ip === undefined) return false
    const address = {
      ip,
      prefix: Number(peer?.[1] ?? length ?? (ip.includes(':') ? 128 : 32)),
      scope: words[words.indexOf('scope') + 1] ?? 'global',
      peer: peer && canonicalIp(peer[0]!),
    }
    link.addresses = [...(link.addresses ?? []), defined(address)]
    return true
  }
  if (first === 'link/ether') link.mac = second
  const after = (word: string) => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined)
  if (kinds.includes(first)) link.kind = first
  if (first === 'vxlan' && after('id') !== undefined)
    link.vxlan = defined({
      id: Number(after('id')),
      port: Number(after('dstport') ?? 8472),
      local: after('local'),
      device: after('dev'),
      learning: !words.includes('nolearning'),
    })
  if (first === 'bridge_slave') link.hairpin = after('hairpin') === 'on'
  return true
}

/** As `ip -j -d addr` prints them. */
export function renderLinks(links: readonly DumpedLink[]): string {
  return `${JSON.stringify(links.map(objectOf))}\n`
}

function objectOf(link: DumpedLink): JsonObject {
  const flags = [
    ...(link.loopback ? ['LOOPBACK'] : []),
    ...(link.up ? ['UP'] : []),
    ...(link.carrier ? ['LOWER_UP'] : []),
  ]
  const remote = /^if(\d+)$/.exec(link.peer ?? '')
  const { vxlan } = link
  const info = defined({
    info_kind: link.kind,
    info_data:
      vxlan &&
      defined({ id: vxlan.id, link: vxlan.device, local: vxlan.local, port: vxlan.port, learning: vxlan.learning }),
    info_slave_kind: link.hairpin === undefined ? undefined : 'bridge',
    info_slave_data: link.hairpin === undefined ? undefined : { hairpin: link.hairpin },
  })
  return defined({
    ifindex: link.index,
    link_index: remote === null ? undefined : Number(remote[1]),
    link: remote === null ? link.peer : undefined,
    ifname: link.name,
    flags,
    mtu: link.mtu,
    master: link.master,
    link_type: link.loopback ? 'loopback' : 'ether',
    address: link.mac,
    linkinfo: Object.keys(info).length === 0 ? undefined : info,
    addr_info: link.addresses?.map(({ ip, prefix, scope, peer }) =>
      defined({ family: ip.includes(':') ? 'inet6' : 'inet', local: ip, address: peer, prefixlen: prefix, scope }),
    ),
  })
}

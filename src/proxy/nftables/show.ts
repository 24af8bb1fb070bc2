// What the table of nftables mode says, by Services: for everyone who wants to know what this node does with them. Read out
// of the kernel's own form, and so also out of a snapshot of another machine.
import { chainText, tableText } from '#kernel/nftables/table-text.ts'
import type { NftElement, NftSet, NftTable } from '#kernel/nftables/ruleset.ts'
import { elementText, hostNumberOf, partTexts, valueText, verdictText } from '#kernel/nftables/value-text.ts'
import { localIndex, slotBit } from '#proxy/nftables/shape.ts'

export type ShownPort = {
  /** `namespace/name:port` */
  readonly name: string
  /** what leads to it, and the chain that serves it; the cluster IP first, NodePorts last */
  readonly fronts: readonly { readonly at: string; readonly leadsTo: string }[]
  /** `ip:port`, of policy Cluster and of policy Local */
  readonly cluster: readonly string[]
  readonly local: readonly string[]
  /** who is let in; empty: everyone */
  readonly sources: readonly string[]
  /** who stays with an endpoint at present */
  readonly remembered: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] }

/** In the order of names. */
export function viewPorts(table: NftTable): readonly ShownPort[] {
  const sets = new Map(table.sets.map((set) => [set.name, set]))
  const ports = new Map<string, Mutable<ShownPort>>()
  const portOf = ({ comment = 'nobody' }: NftElement) => {
    const known = ports.get(comment)
    if (known !== undefined) return known
    const port = { name: comment, fronts: [], cluster: [], local: [], sources: [], remembered: 0 }
    ports.set(comment, port)
    return port
  }
  const shapes = verdictsOf(sets.get('shapes'))
  const byTuple = new Map<string, Mutable<ShownPort>>()
  for (const [set, element] of elementsOf(table, /^services$/)) {
    const port = portOf(element)
    const number = hostNumberOf(element.data?.subarray(4) ?? new Uint8Array())
    port.fronts.push({ at: frontText(element.key, set), leadsTo: shapes.get(number) ?? `shape ${number}` })
    byTuple.set(String(element.key), port)
  }
  for (const [set, element] of elementsOf(table, /^endpoints-/)) {
    const index = hostNumberOf(element.key.subarray(-4))
    if (index >= slotBit || element.data === undefined) continue
    const [ip = '', port = ''] = partTexts(element.data, set.data as readonly string[], set.dataLengths ?? [])
    portOf(element)[index >= localIndex ? 'local' : 'cluster'].push(
      ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`,
    )
  }
  for (const [set, element] of elementsOf(table, /^ranges$/)) portOf(element).sources.push(rangeText(element, set))
  const clientLength = table.family === 'ip6' ? 16 : 4
  for (const [, { key }] of elementsOf(table, /^affinity$/)) {
    const port = byTuple.get(String(key.subarray(clientLength)))
    if (port !== undefined) port.remembered++
  }
  const clusterIps = new Set(elementsOf(table, /^cluster-ips$/).map(([, { key }]) => valueText(key, keyType(table))))
  const rank = (at: string) => (at.startsWith('node') ? 2 : clusterIps.has(at.replace(/^\[|\]?:[^:]*$/g, '')) ? 0 : 1)
  for (const port of ports.values()) {
    port.fronts.sort((a, b) => rank(a.at) - rank(b.at) || (a.at < b.at ? -1 : 1))
    for (const list of [port.cluster, port.local, port.sources]) list.sort()
  }
  return [...ports.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const keyType = ({ family }: NftTable) => (family === 'ip6' ? 'ipv6' : 'ipv4')

const elementsOf = (table: NftTable, name: RegExp): (readonly [NftSet, NftElement])[] =>
  table.sets.flatMap((set) => (name.test(set.name) ? set.elements.map((element) => [set, element] as const) : []))

const verdictsOf = (set: NftSet | undefined): ReadonlyMap<number, string> =>
  new Map((set?.elements ?? []).map(({ key, verdict }) => [hostNumberOf(key), verdict ? verdictText(verdict) : '']))

/** NodePorts stand under an address of zeros. */
function frontText(key: Uint8Array, set: NftSet): string {
  const [ip = '', protocol = '', port = ''] = partTexts(key, set.key, set.keyLengths)
  if (key.subarray(0, set.keyLengths[0]).every((byte) => byte === 0)) return `node port ${port}/${protocol}`
  return ip.includes(':') ? `[${ip}]:${port}/${protocol}` : `${ip}:${port}/${protocol}`
}

/** `load balancer's address . protocol . port . source` */
function rangeText(element: NftElement, set: NftSet): string {
  const [ip = '', protocol = '', port = '', source = ''] = elementText(
    { key: element.key, ...(element.keyEnd && { keyEnd: element.keyEnd }) },
    set,
  ).split(' . ')
  return `${source} to ${ip}:${port}/${protocol}`
}

/** `wanted`: only Services with these names, `namespace/name`; none: all. */
export function showPorts(table: NftTable, wanted: readonly string[]): string {
  const isWanted = ({ name }: ShownPort) =>
    wanted.length === 0 || wanted.some((service) => name === service || name.startsWith(`${service}:`))
  const ports = viewPorts(table).filter(isWanted)
  const used = new Set(ports.flatMap(({ fronts }) => fronts.map(({ leadsTo }) => leadsTo.replace(/^goto /, ''))))
  const chains = table.chains.filter(({ name }) => used.has(name))
  const isAll = wanted.length === 0
  return [
    ...ports.map(portText),
    ...(isAll ? [] : chains.map((chain) => chainText(chain, table))),
    ...(isAll ? [`${ports.length} ports of Services in table ${table.family} ${table.name}\n`] : []),
  ].join('\n')
}

/** Everything in the table: chains, rules, sets, elements. */
export const showTable = tableText

function portText({ name, fronts, cluster, local, sources, remembered }: ShownPort): string {
  const width = Math.max(...fronts.map(({ at }) => at.length))
  const lines = fronts.map(({ at, leadsTo }) => `  ${at.padEnd(width)}  ${leadsTo}`)
  const list = (title: string, items: readonly string[]) =>
    items.length === 0 ? [] : [`  ${title}: ${items.join(' ')}`]
  return [
    name,
    ...lines,
    ...list('endpoints', cluster),
    ...list('endpoints of this node', local),
    ...list('only from', sources),
    ...(remembered === 0 ? [] : [`  clients that stay with an endpoint: ${remembered}`]),
    '',
  ].join('\n')
}

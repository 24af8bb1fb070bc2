// One question through everything that may answer it, in CoreDNS's order: rewrite, hosts, the cluster's zone, then
// upstreams. Pure: what must be asked of the world is handed back as something to await.

import { answer } from '#dns/answer.ts'
import type { ForwardConfig, ServerConfig } from '#dns/corefile/config.ts'
import type { HostTable, Hosts } from '#dns/corefile/hosts.ts'
import { rewrite } from '#dns/corefile/rewrite.ts'
import { parseClusterName, parseReverseName } from '#dns/question.ts'
import type { Query } from '#dns/query.ts'
import type { Sections } from '#dns/reply.ts'
import { isWithin } from '#dns/wire/name.ts'
import { rcodes } from '#dns/wire/message.ts'
import { classIn, recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import type { Zone, ZoneOptions } from '#dns/zone.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

/** A reply before it is rendered; `plugin` is who gave it, nobody where the server itself refuses. */
export type Reply = Sections & {
  readonly rcode: number
  readonly authoritative: boolean
  readonly plugin?: 'kubernetes' | 'hosts' | 'forward' | 'cache'
}

/** It holds for `forMs` from now; its times to live were whole seconds `agedMs` ago, undefined: they stand still. */
export type TimeBasis = { readonly forMs: number; readonly agedMs: number | undefined }
/** What an answer rests on: one Service (`namespace/name`), no object at all (''), or time. */
export type Basis = { readonly service: string } | TimeBasis

/** Who is asked about the world outside. */
export type Forward = {
  /** Answers SERVFAIL or REFUSED itself: it never throws. */
  ask(name: string, type: number, query: ForwardedQuery): Promise<Reply>
  /** The answer, where it is known without asking, and how long it may be repeated. */
  known?(name: string, type: number, query: ForwardedQuery): Known | undefined
  /** how many answers are known without asking */
  sizes?(): { readonly success: number; readonly denial: number }
}
export type Known = { readonly reply: Reply; readonly basis?: TimeBasis }
export type ForwardedQuery = Pick<Query, 'edns' | 'byTcp'>

export type Resolution =
  /** known at once; it may be kept where it says what it rests on */
  | { readonly kind: 'now'; readonly reply: Reply; readonly basis?: Basis }
  | { readonly kind: 'later'; ask(): Promise<Reply> }
  /** another thread answers */
  | { readonly kind: 'elsewhere' }

/** `zone` is the one that has answered, as metrics write it: `cluster.local.`, or `dropped` where nobody serves the name. */
export type Resolver = (query: Query) => Resolution & { readonly zone: string }

/** One server block with what stands behind its plugins. */
export type Server = {
  readonly config: ServerConfig
  readonly kubernetes?: { readonly zone: Zone; readonly options: ZoneOptions }
  readonly hostTable?: () => HostTable
  readonly forwards: readonly { readonly config: ForwardConfig; readonly forward: Forward }[]
}

/** The resolver of all server blocks that share a port: the one with the longest matching zone answers. */
export function createResolver(servers: readonly Server[]): Resolver {
  const byZone = servers
    .flatMap((server) => server.config.zones.map((zone) => ({ zone, label: `${zone}.`, server })))
    .toSorted((a, b) => b.zone.length - a.zone.length)
  return (query) => {
    if ((query.edns?.version ?? 0) !== 0) return { ...code(rcodes.BADVERS), zone: noZone }
    const { name } = query
    const found = query.class === classIn ? byZone.find(({ zone }) => isWithin(name, zone)) : undefined
    if (found === undefined) return { ...code(rcodes.REFUSED), zone: noZone }
    const resolution = resolveRewritten(found.server, query)
    const ordered = found.server.config.loadbalance
      ? resolution
      : mapReply(resolution, (reply) => ({ ...reply, inOrder: true }))
    return { ...ordered, zone: found.label }
  }
}

/** The zone of what no server block answers, as CoreDNS's metrics have it. */
export const noZone = 'dropped'

function mapReply(resolution: Resolution, change: (reply: Reply) => Reply): Resolution {
  if (resolution.kind === 'elsewhere') return resolution
  if (resolution.kind === 'later') return { kind: 'later', ask: async () => change(await resolution.ask()) }
  return { ...resolution, reply: change(resolution.reply) }
}

const code = (rcode: number): Resolution => ({ kind: 'now', reply: { rcode, authoritative: false } })

function resolveRewritten(server: Server, query: Query): Resolution {
  if (server.config.rewrite.length === 0) return resolve(server, query)
  const { name, type, restore } = rewrite(server.config.rewrite, query)
  if (name === query.name && type === query.type) return resolve(server, query)
  const resolution = resolve(server, { ...query, name, type })
  return restore ? mapReply(resolution, (reply) => renamed(reply, name, query.name)) : resolution
}

function renamed(reply: Reply, from: string, to: string): Reply {
  const rename = (records: readonly ResourceRecord[] = []) =>
    records.map((record) => (record.name === from ? { ...record, name: to } : record))
  return { ...reply, answers: rename(reply.answers), additionals: rename(reply.additionals) }
}

function resolve(server: Server, query: Query): Resolution {
  const fromHosts = server.config.hosts && lookUpHosts(server.config.hosts, server.hostTable?.(), query)
  if (fromHosts !== undefined) return { kind: 'now', reply: fromHosts }
  if (server.kubernetes === undefined) {
    const outside = resolveOutside(server, query.name, query)
    return server.hostTable === undefined ? outside : unkept(outside)
  }
  const { zone, options } = server.kubernetes
  const found = answer(zone, options, query.name, query.type)
  switch (found.kind) {
    case 'pass': {
      const outside = resolveOutside(server, query.name, query)
      const isOurs = [options.domain, ...options.reverseZones].some((own) => isWithin(query.name, own))
      // An object may give it an answer of its own at any time.
      return isOurs ? unkept(outside) : outside
    }
    case 'refused':
      return code(rcodes.REFUSED)
    case 'servfail':
      return code(rcodes.SERVFAIL)
    case 'nodata':
    case 'nxdomain': {
      const rcode = found.kind === 'nodata' ? rcodes.NOERROR : rcodes.NXDOMAIN
      return known({ rcode, authoritative: true, authorities: [found.soa], plugin: 'kubernetes' }, query, options)
    }
    case 'records': {
      const { answers, additionals, alias } = found
      const reply = { rcode: rcodes.NOERROR, authoritative: true, answers, additionals, plugin: 'kubernetes' } as const
      if (alias === undefined) return known(reply, query, options)
      const outside = resolveOutside(server, alias, query)
      if (outside.kind === 'elsewhere') return outside
      if (outside.kind === 'now') return { kind: 'now', reply: joinAlias(reply, outside.reply) }
      return { kind: 'later', ask: async () => joinAlias(reply, await outside.ask()) }
    }
  }
}

const unkept = (resolution: Resolution): Resolution =>
  resolution.kind === 'now' ? { kind: 'now', reply: resolution.reply } : resolution

function known(reply: Reply, query: Query, options: ZoneOptions): Resolution {
  if (!isWithin(query.name, options.domain)) return { kind: 'now', reply }
  const followsAlias = reply.answers?.some((record) => record.type === recordTypes.CNAME) ?? false
  const name = parseClusterName(query.name, options.domain)
  if (followsAlias) return { kind: 'now', reply }
  // No object can bring such a name into being: search lists make many of them.
  if (name.kind === 'none') return { kind: 'now', reply, basis: { service: '' } }
  if (!('service' in name)) return { kind: 'now', reply }
  return { kind: 'now', reply, basis: { service: `${name.namespace}/${name.service}` } }
}

function resolveOutside(server: Server, name: string, query: Query): Resolution {
  const [best] = server.forwards
    .filter(({ config }) => isWithin(name, config.from) && !config.except.some((zone) => isWithin(name, zone)))
    .toSorted((a, b) => b.config.from.length - a.config.from.length)
  if (best === undefined) return code(server.forwards.length === 0 ? rcodes.REFUSED : rcodes.SERVFAIL)
  const { forward } = best
  const known = forward.known?.(name, query.type, query)
  if (known !== undefined)
    return {
      kind: 'now',
      reply: { ...known.reply, plugin: 'cache' },
      ...(known.basis === undefined ? {} : { basis: known.basis }),
    }
  return { kind: 'later', ask: () => forward.ask(name, query.type, query) }
}

/** The CNAME with what upstreams know of its target: alone where they fail, so that the name itself still answers. */
function joinAlias(reply: Reply & { answers: readonly ResourceRecord[] }, target: Reply): Reply {
  const followed = (target.answers ?? []).filter(
    (record) => record.type === recordTypes.A || record.type === recordTypes.AAAA || record.type === recordTypes.CNAME,
  )
  return target.rcode === rcodes.NOERROR ? { ...reply, answers: [...reply.answers, ...followed] } : reply
}

function lookUpHosts(hosts: Hosts, file: HostTable | undefined, query: Query): Reply | undefined {
  if (hosts.zones.length > 0 && !hosts.zones.some((zone) => isWithin(query.name, zone))) return undefined
  const tables = [hosts.inline, ...(file === undefined ? [] : [file])]
  const record = (type: number, data: ResourceRecord['data']): ResourceRecord => ({
    name: query.name,
    type,
    class: classIn,
    ttl: hosts.ttl,
    data,
  })
  const found = { authoritative: true, plugin: 'hosts' } as const
  const reply = (answers: ResourceRecord[]): Reply => ({ ...found, rcode: rcodes.NOERROR, answers })
  const reverse = query.type === recordTypes.PTR && hosts.reverse ? parseReverseName(query.name) : undefined
  if (reverse !== undefined) {
    const address = formatIp(parseIp(reverse)!)
    const names = tables.flatMap((table) => table.names.get(address) ?? [])
    if (names.length > 0) return reply(names.map((target) => record(recordTypes.PTR, { kind: 'name', target })))
  }
  const addresses = tables.flatMap((table) => table.addresses.get(query.name) ?? [])
  if (addresses.length > 0) {
    const size = query.type === recordTypes.A ? 4 : query.type === recordTypes.AAAA ? 16 : 0
    const bytes = addresses.map((address) => parseIp(address)!).filter((address) => address.length === size)
    return reply(bytes.map((address) => record(query.type, { kind: 'address', bytes: address })))
  }
  // As CoreDNS has it: without an SOA there is no denial that clients could believe.
  const falls = query.type === recordTypes.PTR || hosts.fallthrough.some((zone) => isWithin(query.name, zone))
  return falls ? undefined : { rcode: rcodes.SERVFAIL, authoritative: false }
}

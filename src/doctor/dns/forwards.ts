// Whom the cluster's DNS asks about names that are not its own, by its Corefile.

import type { ConfigMap, Pod } from '#api/core.ts'
import { type CorefileError, type Directive, parseCorefile, type ServerBlock } from '#dns/corefile/syntax.ts'
import { dnsPort, podsWith } from '#doctor/dns/cluster-dns.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { canonicalIp, type Ip } from '#lib/ip.ts'

/** Whom to ask: a server, or those that a file names. */
export type Target =
  | { readonly kind: 'address'; readonly ip: Ip; readonly port: number; readonly protocol: 'udp' | 'tcp' }
  | { readonly kind: 'file'; readonly path: string }

/** A rule by which questions go to other servers. */
export type Forward = {
  readonly map: ConfigMap
  /** `line 12 of the Corefile`, `stubDomains` */
  readonly where: string
  readonly text: string
  /** `.` for all names */
  readonly zone: string
  readonly targets: readonly Target[]
  /** on the network of their node, beside the cluster's own servers */
  readonly isNodeLocal: boolean
  /** where the server itself listens: a port, and addresses where not at all of its own */
  readonly port: number
  readonly binds: readonly Ip[]
  /** a server that finds itself behind it ends (the plugin `loop`) */
  readonly endsInLoops: boolean
  /** pods that run by it, as far as objects tell */
  readonly pods: readonly Pod[]
}

export type BrokenCorefile = { readonly map: ConfigMap; readonly error: CorefileError; readonly pods: readonly Pod[] }

type Forwards = { readonly forwards: readonly Forward[]; readonly broken: readonly BrokenCorefile[] }

export function forwardsOf(view: View): Forwards {
  const forwards: Forward[] = []
  const broken: BrokenCorefile[] = []
  for (const map of view.configMaps) {
    const pods = podsWith(view, map)
    const isNodeLocal =
      pods.length > 0 ? pods.every(({ spec }) => spec?.hostNetwork === true) : /node-?local/.test(keyOf(map))
    const text = map.data?.['Corefile']
    const read = text === undefined ? undefined : parseCorefile(text)
    if (read !== undefined && 'error' in read) broken.push({ map, error: read.error, pods })
    const found = [
      ...(read === undefined || 'error' in read ? [] : read.blocks.flatMap(readBlock)),
      ...stubsOf(map.data ?? {}),
    ]
    forwards.push(...found.map((one) => ({ ...one, map, pods, isNodeLocal })))
  }
  return { forwards, broken }
}

type Rule = Omit<Forward, 'map' | 'pods' | 'isNodeLocal'>

const readBlock = ({ addresses, directives }: ServerBlock): readonly Rule[] =>
  directives
    .filter(({ name, args }) => name === 'forward' && args.length > 1)
    .map(({ name, args: [from = '.', ...to], line }: Directive) => ({
      where: `line ${line} of the Corefile`,
      text: [name, from, ...to].join(' '),
      zone: from === '.' ? addresses.map((address) => zoneAndPort(address).zone).join(' ') : from,
      targets: to.flatMap(readTarget),
      port: zoneAndPort(addresses[0]!).port,
      binds: directives.flatMap((one) => (one.name === 'bind' ? one.args.flatMap((ip) => canonicalIp(ip) ?? []) : [])),
      endsInLoops: directives.some((one) => one.name === 'loop'),
    }))

/** `dns://example.org:1053` */
function zoneAndPort(address: string): { readonly zone: string; readonly port: number } {
  const [, zone = '.', port = dnsPort] = /^(?:\w+:\/\/)?(.*?)(?::(\d+))?$/.exec(address) ?? []
  return { zone: zone === '' ? '.' : zone, port: Number(port) }
}

/** Servers by HTTPS or gRPC are not followed. */
function readTarget(text: string): readonly Target[] {
  const [, scheme = 'dns', rest = ''] = /^(?:(\w+):\/\/)?(.*)$/.exec(text) ?? []
  if (!['dns', 'tls'].includes(scheme)) return []
  if (rest.startsWith('/')) return [{ kind: 'file', path: rest }]
  const usual = scheme === 'tls' ? 853 : dnsPort
  const [, host, port] = canonicalIp(rest) === undefined ? (/^(.*?)(?::(\d+))?$/.exec(rest) ?? []) : [rest, rest]
  const ip = canonicalIp(host?.replaceAll(/[[\]]/g, '') ?? '')
  const protocol = scheme === 'tls' ? 'tcp' : 'udp'
  return ip === undefined ? [] : [{ kind: 'address', ip, port: Number(port ?? usual), protocol }]
}

/** What kube-dns knew before CoreDNS, and some clouds' DNS still does. */
function stubsOf({ stubDomains, upstreamNameservers }: Readonly<Record<string, string>>): readonly Rule[] {
  const stubs = parseJson(stubDomains)
  const upstreams = parseJson(upstreamNameservers)
  const rule = (where: string, zone: string, servers: unknown): readonly Rule[] =>
    Array.isArray(servers)
      ? [
          {
            where,
            text: `${zone} ${servers.join(' ')}`,
            zone,
            targets: servers.flatMap((server) => readTarget(String(server))),
            port: dnsPort,
            binds: [],
            endsInLoops: false,
          },
        ]
      : []
  return [
    ...Object.entries(typeof stubs === 'object' && stubs !== null ? stubs : {}).flatMap(([zone, servers]) =>
      rule('stubDomains', zone, servers),
    ),
    ...rule('upstreamNameservers', '.', upstreams),
  ]
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}

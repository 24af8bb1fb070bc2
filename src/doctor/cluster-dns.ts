// The cluster's DNS as its objects describe it: its Service, the pods that serve it, and whom those ask about names that are
// not their own.

import type { ConfigMap, Pod, Service } from '#api/core.ts'
import { type CorefileError, type Directive, parseCorefile, type ServerBlock } from '#dns/corefile/syntax.ts'
import { slicesByService } from '#doctor/expect/endpoints.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { canonicalIp, type Ip } from '#lib/ip.ts'
import { parseResolvConf } from '#lib/resolv-conf.ts'
import { podIps } from '#trace/world.ts'

export const dnsPort = 53

/** `kube-dns` of most clusters, `rke2-coredns-rke2-coredns`, `dns-default` of OpenShift. */
export function dnsServiceOf({ services = [] }: View): Service | undefined {
  const named = (key: string) => services.find((one) => keyOf(one) === key)
  return (
    named('kube-system/kube-dns') ??
    named('openshift-dns/dns-default') ??
    services.find(
      ({ metadata, spec }) =>
        metadata?.namespace === 'kube-system' &&
        metadata.labels?.['k8s-app'] === 'kube-dns' &&
        spec?.clusterIP !== 'None' &&
        spec?.ports?.some(({ port }) => port === dnsPort) === true,
    )
  )
}

/** Addresses of its Service. */
export const dnsAddressesOf = (view: View): readonly Ip[] => {
  const spec = dnsServiceOf(view)?.spec
  return [spec?.clusterIP, ...(spec?.clusterIPs ?? [])].flatMap((text) => canonicalIp(text ?? '') ?? [])
}

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

export type Forwards = { readonly forwards: readonly Forward[]; readonly broken: readonly BrokenCorefile[] }

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

/** Pods that mount it; where none is known to, those behind the DNS's Service. */
function podsWith(view: View, map: ConfigMap): readonly Pod[] {
  const alive = (view.pods ?? []).filter(
    ({ metadata, status }) =>
      metadata?.namespace === map.metadata?.namespace && !['Succeeded', 'Failed'].includes(status?.phase ?? ''),
  )
  const mounting = alive.filter(({ spec }) =>
    spec?.volumes?.some(({ configMap }) => configMap?.name === map.metadata?.name),
  )
  if (mounting.length > 0 || /node-?local/.test(map.metadata?.name ?? '')) return mounting
  const service = dnsServiceOf(view)
  const slices = service && slicesByService(view.slices ?? []).get(keyOf(service))
  const addresses = new Set((slices ?? []).flatMap(({ endpoints = [] }) => endpoints.flatMap((one) => one.addresses)))
  return alive.filter((pod) => podIps(pod).some((ip) => addresses.has(ip)))
}

export type ResolvConfOfPod = {
  /** whose file it is, in words */
  readonly from: string
  readonly servers: readonly Ip[]
  /** the pod's own, or taken for it */
  readonly isKnown: boolean
}

/** What a pod's processes have as /etc/resolv.conf. A kubelet may hand on another file than the node's own (`resolvConf`). */
export function resolvConfOf(view: View, pod: Pod): ResolvConfOfPod | undefined {
  const read = (text: string) => parseResolvConf(text).servers.flatMap((one) => canonicalIp(one) ?? [])
  const own = view.podTexts.get(keyOf(pod))?.get('resolv.conf')
  if (own !== undefined) return { from: `pod ${keyOf(pod)}: resolv.conf`, servers: read(own), isKnown: true }
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork, nodeName } = pod.spec ?? {}
  const isCluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true)
  if (isCluster)
    return { from: `pod ${keyOf(pod)}: dnsPolicy ${dnsPolicy}`, servers: dnsAddressesOf(view), isKnown: true }
  if (dnsPolicy === 'None')
    return {
      from: `pod ${keyOf(pod)}: dnsConfig`,
      servers: (dnsConfig?.nameservers ?? []).flatMap((one) => canonicalIp(one) ?? []),
      isKnown: true,
    }
  const text = view.nodes.find(({ name }) => name === nodeName)?.texts.get('resolv.conf')
  return text === undefined ? undefined : { from: `${nodeName}: resolv.conf`, servers: read(text), isKnown: false }
}

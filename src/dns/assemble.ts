// effect: builds what a Corefile describes: upstreams, caches, files
import { readFileSync } from 'node:fs'
import type { PartContext } from '#daemon/part.ts'
import { UserError } from '#daemon/error.ts'
import type { ForwardConfig, KubernetesConfig, ServerConfig } from '#dns/corefile/config.ts'
import { isReverse } from '#dns/corefile/option.ts'
import { readHostsFile, type Hosts } from '#dns/corefile/hosts.ts'
import { createForward, withCache } from '#dns/forward/forward.ts'
import { parseResolvConf } from '#lib/resolv-conf.ts'
import { createUpstream, type UpstreamAddress } from '#dns/forward/upstream.ts'
import type { DnsMetrics } from '#dns/metrics.ts'
import type { Server } from '#dns/resolver.ts'
import { typeName } from '#dns/wire/record.ts'
import type { Zone, ZoneOptions } from '#dns/zone.ts'

export type Assembly = Pick<PartContext, 'clock' | 'signal' | 'log'> & {
  readonly metrics: DnsMetrics
  readonly localIps: readonly string[]
  readonly zone: Zone
}

/** One server block with its zone, hosts file and upstreams, ready to be asked. */
export function assembleServer(config: ServerConfig, o: Assembly): Server {
  const { kubernetes, hosts } = config
  return {
    config,
    ...(kubernetes === undefined
      ? {}
      : { kubernetes: { zone: o.zone, options: zoneOptionsOf(kubernetes, o.localIps) } }),
    ...(hosts?.file === undefined ? {} : { hostTable: followHostsFile(hosts.file, hosts, o) }),
    forwards: config.forward.map((entry) => ({ config: entry, forward: assembleForward(config, entry, o) })),
  }
}

export function zoneOptionsOf(config: KubernetesConfig, localIps: readonly string[]): ZoneOptions {
  const domain = config.zones.find((zone) => !isReverse(zone))!
  return {
    domain,
    reverseZones: config.zones.filter(isReverse),
    ttl: config.ttl,
    pods: config.pods,
    namespaces: config.namespaces,
    endpointPodNames: config.endpointPodNames,
    ignoreEmptyServices: config.ignoreEmptyServices,
    fallthrough: config.fallthrough,
    localIps,
  }
}

function assembleForward(server: ServerConfig, config: ForwardConfig, o: Assembly) {
  const upstreams = config.to.flatMap(upstreamsOf).map((address) => createUpstream(address, config))
  o.signal.addEventListener('abort', () => upstreams.forEach((upstream) => upstream.close()), { once: true })
  if (upstreams.length === 0)
    throw new UserError(`forward ${config.to.join(' ')}: no upstream server found`, {
      code: 'NoUpstream',
      remedy: 'name a server by its address, as in "forward . 9.9.9.9"',
    })
  const forward = createForward(config, upstreams, {
    clock: o.clock,
    signal: o.signal,
    onQuestion: (upstream, rcode, tookMs) => o.metrics.forwarded(labelOf(upstream), rcode, tookMs),
    onProbeFailed: (upstream) => o.metrics.probeFailed(labelOf(upstream)),
    onAllDown: () => o.metrics.allFailed(),
    onTooMany: () => o.metrics.tooMany(),
    onFailure(name, type, reason) {
      if (server.errors) o.log.error(`plugin/errors: 2 ${name}. ${typeName(type)}: ${reason}`)
    },
  })
  const { cache } = server
  if (cache === undefined) return forward
  return withCache(forward, cache, o.clock, () => o.metrics.missed(`dns://:${server.port}`, cache))
}

const labelOf = ({ address, port }: UpstreamAddress) =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** Upstreams as written: an address with or without a port, or a file in the form of resolv.conf. */
function upstreamsOf(text: string): UpstreamAddress[] {
  if (text.startsWith('/')) {
    const { servers } = parseResolvConf(readText(text))
    return servers.map((address) => ({ address, port: 53 }))
  }
  const bare = text.replace(/^dns:\/\//, '')
  const match = /^\[(.+)\](?::(\d+))?$|^([^:]+)(?::(\d+))?$/.exec(bare)
  if (match === null) return [{ address: bare, port: 53 }]
  return [{ address: (match[1] ?? match[3])!, port: Number(match[2] ?? match[4] ?? 53) }]
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NoFile',
      remedy: 'name a file that exists',
      cause,
    })
  }
}

/** The table of a hosts file, read again as often as the plugin says. A file that is not there has no names. */
function followHostsFile(file: string, hosts: Hosts, o: Assembly) {
  const read = () => {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  }
  let text = read()
  let table = readHostsFile(text)
  const counted = () => o.metrics.hosts(file, table.addresses.size + hosts.inline.addresses.size)
  counted()
  const again = () => {
    if (o.signal.aborted) return
    const next = read()
    if (next !== text) {
      text = next
      table = readHostsFile(text)
      counted()
      o.log.info(`Read ${file} again`)
    }
    o.clock.after(hosts.reloadMs, again)
  }
  if (hosts.reloadMs > 0) o.clock.after(hosts.reloadMs, again)
  return () => table
}

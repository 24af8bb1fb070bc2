// What the server counts, under CoreDNS's names, so that its dashboards work.

import type { Registry } from '#daemon/metrics.ts'
import type { ServerConfig } from '#dns/corefile/config.ts'
import type { OnAnswer } from '#dns/serve/responder.ts'
import { rcodes } from '#dns/wire/message.ts'
import { isKnownType, typeName } from '#dns/wire/record.ts'

const durations = [
  0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
]
/** 1 ms to 9 minutes. */
const programmingSeconds = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i)
const sizes = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000]
const codeNames = new Map<number, string>(Object.entries(rcodes).map(([name, code]) => [code, name]))

const rcodeName = (rcode: number) => codeNames.get(rcode) ?? String(rcode)
const zonesLabel = (zones: readonly string[]) => zones.map((zone) => `${zone}.`).join(',')
const at = ['server', 'zone', 'view']

/** How many answers a cache holds. */
export type CacheSizes = () => { readonly success: number; readonly denial: number }

export type DnsMetrics = {
  /** counts the answers of one port, `dns://:53`, by these server blocks */
  answersOf(server: string, blocks: readonly ServerConfig[]): OnAnswer
  /** answers of threads that only count */
  counted(answers: CountedAnswers): void
  forwarded(to: string, rcode: number | undefined, tookMs: number): void
  /** a probe of an upstream that has failed is not answered either */
  probeFailed(to: string): void
  /** all upstreams have failed: one is asked all the same */
  allFailed(): void
  tooMany(): void
  missed(server: string, cache: { readonly zones: readonly string[] }): void
  hosts(file: string, entries: number): void
  programmed(service: 'cluster_ip' | 'headless_with_selector', tookMs: number): void
  /** what is asked when the metrics are read; it takes the place of all that was said before */
  configured(servers: readonly Configured[]): void
  reloaded(ok: boolean): void
}

export type CountedAnswers = {
  readonly server: string
  readonly zone: string
  readonly plugin: string
  readonly family: '1' | '2'
  readonly type: string
  readonly rcode: number
  readonly count: number
}
export type Configured = {
  readonly server: string
  readonly config: ServerConfig
  readonly caches: readonly CacheSizes[]
}

export function createDnsMetrics(registry: Registry): DnsMetrics {
  const requests = registry.counter('coredns_dns_requests_total', 'DNS queries.', [...at, 'proto', 'family', 'type'])
  const responses = registry.counter('coredns_dns_responses_total', 'DNS replies by code.', [...at, 'rcode', 'plugin'])
  const secure = registry.counter('coredns_dns_do_requests_total', 'DNS queries with the DO bit.', at)
  const duration = registry.histogram('coredns_dns_request_duration_seconds', 'Time to a reply.', durations, at)
  const asked = registry.histogram('coredns_dns_request_size_bytes', 'Size of queries.', sizes, [...at, 'proto'])
  const sent = registry.histogram('coredns_dns_response_size_bytes', 'Size of replies.', sizes, [...at, 'proto'])
  const cache = cacheMetrics(registry)
  const upstreams = upstreamMetrics(registry)
  const entries = registry.gauge('coredns_hosts_entries', 'Names in hosts files.', ['hostsfile'])
  const programming = registry.histogram(
    'coredns_kubernetes_dns_programming_duration_seconds',
    'Time from a change of an endpoint to the names that have it.',
    programmingSeconds,
    ['service_kind'],
  )
  const failed = registry.counter('coredns_reload_failed_total', 'Configurations that could not be used.')
  registry.counter('coredns_panics_total', 'Errors that nobody caught; the process does not outlive one.')
  let configured: readonly Configured[] = []
  registry.gauge('coredns_plugin_enabled', 'Plugins of each server block.', [...at, 'name'], (gauge) => {
    gauge.clear()
    for (const { server, config } of configured)
      for (const zone of config.zones) for (const name of pluginsOf(config)) gauge.set(1, server, `${zone}.`, '', name)
  })
  registry.gauge('coredns_cache_entries', 'Answers in the cache.', ['server', 'type', 'zones', 'view'], (gauge) => {
    gauge.clear()
    for (const { server, config, caches } of configured)
      for (const sizesOf of caches)
        for (const [type, size] of Object.entries(sizesOf()))
          gauge.add(size, server, type, zonesLabel(config.cache?.zones ?? []), '')
  })

  return {
    answersOf(server, blocks) {
      const cached = new Map(
        blocks.flatMap((config) => config.zones.map((zone) => [`${zone}.`, zonesLabel(config.cache?.zones ?? [])])),
      )
      const counterFor = (zone: string, transport: 'udp' | 'tcp', family: string, type: string) => {
        const counter = requests.labelled(server, zone, '', transport, family, type)
        const took = duration.labelled(server, zone, '')
        const askedSize = asked.labelled(server, zone, '', transport)
        const sentSize = sent.labelled(server, zone, '', transport)
        const answers = new Map<string, { add(amount: number): void }[]>()
        return (plugin: string, rcode: number, tookMs: number, askedBytes: number, sentBytes: number) => {
          counter.add(1)
          took.observe(tookMs / 1000)
          askedSize.observe(askedBytes)
          sentSize.observe(sentBytes)
          let byCode = answers.get(plugin)
          if (byCode === undefined) answers.set(plugin, (byCode = []))
          const answer = (byCode[rcode] ??= responses.labelled(server, zone, '', rcodeName(rcode), plugin))
          answer.add(1)
        }
      }
      const zones = new Map<string, ReturnType<typeof counterFor>[]>()
      return ({ transport, family }, query, { zone, plugin, rcode, answers, took, bytes, queryBytes }) => {
        // Types that nobody knows are counted together, so that no client can make metrics without end.
        const type = query === undefined || !isKnownType(query.type) ? 0 : query.type
        const index = (type << 2) | (transport === 'tcp' ? 2 : 0) | (family === '2' ? 1 : 0)
        let counters = zones.get(zone)
        if (counters === undefined) zones.set(zone, (counters = []))
        const name = () => (type === 0 ? 'other' : typeName(type))
        const count = (counters[index] ??= counterFor(zone, transport, family, name()))
        count(plugin, rcode, took, queryBytes, bytes)
        if (query?.edns?.dnssecOk === true) secure.add(1, server, zone, '')
        if (plugin === 'cache') cache.hit(server, answers > 0 ? 'success' : 'denial', cached.get(zone) ?? '')
      }
    },
    counted({ server, zone, plugin, family, type, rcode, count }) {
      requests.add(count, server, zone, '', 'udp', family, type)
      responses.add(count, server, zone, '', rcodeName(rcode), plugin)
    },
    ...upstreams,
    missed: (server, { zones }) => cache.missed(server, zonesLabel(zones)),
    hosts: (file, count) => entries.set(count, file),
    programmed: (service, tookMs) => programming.observe(tookMs / 1000, service),
    configured: (servers) => void (configured = servers),
    reloaded: (ok) => void (ok || failed.add(1)),
  }
}

function cacheMetrics(registry: Registry) {
  const labels = ['server', 'zones', 'view']
  const requests = registry.counter('coredns_cache_requests_total', 'Questions to the cache.', labels)
  const hits = registry.counter('coredns_cache_hits_total', 'Answers found in the cache.', [
    'server',
    'type',
    'zones',
    'view',
  ])
  const misses = registry.counter('coredns_cache_misses_total', 'Answers not found in the cache.', labels)
  return {
    hit(server: string, type: 'success' | 'denial', zones: string) {
      requests.add(1, server, zones, '')
      hits.add(1, server, type, zones, '')
    },
    missed(server: string, zones: string) {
      requests.add(1, server, zones, '')
      misses.add(1, server, zones, '')
    },
  }
}

function upstreamMetrics(registry: Registry): Pick<DnsMetrics, 'forwarded' | 'probeFailed' | 'allFailed' | 'tooMany'> {
  const to = ['proxy_name', 'to']
  const took = registry.histogram('coredns_proxy_request_duration_seconds', 'Time of upstreams.', durations, [
    ...to,
    'rcode',
  ])
  const failures = registry.counter('coredns_proxy_healthcheck_failures_total', 'Probes of upstreams that failed.', to)
  const broken = registry.counter(
    'coredns_forward_healthcheck_broken_total',
    'Queries that found all upstreams failed.',
  )
  const rejects = registry.counter('coredns_forward_max_concurrent_rejects_total', 'Queries beyond max_concurrent.')
  return {
    forwarded: (upstream, rcode, tookMs) =>
      took.observe(tookMs / 1000, 'forward', upstream, rcode === undefined ? 'NONE' : rcodeName(rcode)),
    probeFailed: (upstream) => failures.add(1, 'forward', upstream),
    allFailed: () => broken.add(1),
    tooMany: () => rejects.add(1),
  }
}

/** The plugins of a server block, by their names in the Corefile. */
function pluginsOf({
  zones: _zones,
  port: _port,
  bind,
  log,
  forward,
  rewrite,
  metrics,
  ...rest
}: ServerConfig): string[] {
  const lists = Object.entries({ bind, log, forward, rewrite }).filter(([, list]) => list.length > 0)
  const others = Object.entries(rest).filter(([, value]) => value !== false && value !== undefined)
  return [...lists, ...others, ...(metrics === undefined ? [] : [['prometheus']])].map(([name]) => name!)
}

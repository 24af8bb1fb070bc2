// What the server counts, under CoreDNS's names, so that its dashboards work.

import type { Registry } from '#daemon/metrics.ts'
import type { OnAnswer } from '#dns/serve/responder.ts'
import { rcodes } from '#dns/wire/message.ts'
import { isKnownType, typeName } from '#dns/wire/record.ts'

const durations = [
  0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
]
const sizes = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000]
const codeNames = new Map<number, string>(Object.entries(rcodes).map(([name, code]) => [code, name]))

const rcodeName = (rcode: number) => codeNames.get(rcode) ?? String(rcode)
type Adder = { add(amount: number): void }

export type DnsMetrics = {
  /** counts the answers of one server, `dns://:53` */
  answersOf(server: string): OnAnswer
  /** answers of threads that only count */
  counted(server: string, type: string, rcode: number, count: number): void
  forwarded(to: string, rcode: number | undefined, tookMs: number): void
  lookedUp(server: string, hit: boolean): void
  reloaded(ok: boolean): void
}

export function createDnsMetrics(registry: Registry): DnsMetrics {
  const at = ['server', 'zone', 'view']
  const requests = registry.counter('coredns_dns_requests_total', 'DNS queries.', [...at, 'proto', 'family', 'type'])
  const responses = registry.counter('coredns_dns_responses_total', 'DNS replies by code.', [...at, 'rcode', 'plugin'])
  const duration = registry.histogram('coredns_dns_request_duration_seconds', 'Time to a reply.', durations, at)
  const bytes = registry.histogram('coredns_dns_response_size_bytes', 'Size of replies.', sizes, [...at, 'proto'])
  const proxied = registry.counter('coredns_proxy_requests_total', 'Queries sent to upstreams.', [
    'proxy_name',
    'to',
    'rcode',
  ])
  const proxyTime = registry.histogram('coredns_proxy_request_duration_seconds', 'Time of upstreams.', durations, [
    'proxy_name',
    'to',
    'rcode',
  ])
  const hits = registry.counter('coredns_cache_hits_total', 'Answers found in the cache.', ['server'])
  const misses = registry.counter('coredns_cache_misses_total', 'Answers not found in the cache.', ['server'])
  const failed = registry.counter('coredns_reload_failed_total', 'Configurations that could not be used.')
  return {
    answersOf(server) {
      const took = duration.labelled(server, '.', '')
      const sizesOf = { udp: bytes.labelled(server, '.', '', 'udp'), tcp: bytes.labelled(server, '.', '', 'tcp') }
      const counters = new Map<number, { readonly asked: Adder; readonly answered: Adder }>()
      return (asked, query, rcode, size, tookMs) => {
        // Types that nobody knows are counted together, so that no client can make metrics without end.
        const type = query === undefined || !isKnownType(query.type) ? 0 : query.type
        const key = (((rcode * 2 + (asked.transport === 'tcp' ? 1 : 0)) * 2 + Number(asked.family === '2')) << 8) | type
        let found = counters.get(key)
        if (found === undefined) {
          const name = type === 0 ? 'other' : typeName(type)
          found = {
            asked: requests.labelled(server, '.', '', asked.transport, asked.family, name),
            answered: responses.labelled(server, '.', '', rcodeName(rcode), ''),
          }
          counters.set(key, found)
        }
        found.asked.add(1)
        found.answered.add(1)
        took.observe(tookMs / 1000)
        sizesOf[asked.transport].observe(size)
      }
    },
    counted(server, type, rcode, count) {
      requests.add(count, server, '.', '', 'udp', '1', type)
      responses.add(count, server, '.', '', rcodeName(rcode), '')
    },
    forwarded(to, rcode, tookMs) {
      const code = rcode === undefined ? 'NONE' : rcodeName(rcode)
      proxied.add(1, 'forward', to, code)
      proxyTime.observe(tookMs / 1000, 'forward', to, code)
    },
    lookedUp: (server, hit) => (hit ? hits : misses).add(1, server),
    reloaded: (ok) => void (ok || failed.add(1)),
  }
}

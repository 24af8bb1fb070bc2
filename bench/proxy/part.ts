// The proxy as a process of its own, which tells its parent when it has seen an event and when the kernel has taken it.
import { flushCompileCache } from 'node:module'
import { connect, type Client, type WatchEvent } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry, type Registry } from '#daemon/metrics.ts'
import { run } from '#proxy/main.ts'
import { proxyDefaults, type ProxyMode } from '#proxy/options.ts'

/** `all`: everything was written; `change`: what changed was, `ms` after its first event came in. */
export type Told = { readonly kind: 'all'; readonly ms: number } | { readonly kind: 'change'; readonly ms: number }

const [kubeconfig, mode, backend] = process.argv.slice(2)
const tell = (what: Told) => process.send?.(what)
let firstEventMs: number | undefined

/** The client as it is, but for a note of when events come in. */
function noting(client: Client): Client {
  async function* watch<T>(...[resource, options]: Parameters<Client['watch']>): AsyncIterable<WatchEvent<T>> {
    for await (const event of client.watch(resource, options)) {
      if (event.type !== 'BOOKMARK') firstEventMs ??= performance.now()
      yield event as WatchEvent<T>
    }
  }
  return { ...client, watch } as Client
}

/** The registry as it is, but for a note of when rules were written; only IPv4 has any here. */
function telling(registry: Registry): Registry {
  return {
    ...registry,
    histogram(name, ...rest) {
      const histogram = registry.histogram(name, ...rest)
      const isAll = name === 'kubeproxy_sync_full_proxy_rules_duration_seconds'
      if (!isAll && name !== 'kubeproxy_sync_partial_proxy_rules_duration_seconds') return histogram
      return {
        ...histogram,
        observe(seconds, ...labels) {
          histogram.observe(seconds, ...labels)
          if (labels[0] !== 'IPv4') return
          if (isAll) {
            tell({ kind: 'all', ms: seconds * 1000 })
            // as the command does; the parent kills this process
            flushCompileCache()
          } else tell({ kind: 'change', ms: performance.now() - (firstEventMs ?? performance.now()) })
          firstEventMs = undefined
        },
      }
    },
  }
}

await run(
  {
    ...proxyDefaults,
    client: noting(connect(loadKubeconfig(kubeconfig))),
    nodeName: 'node-1',
    mode: mode as ProxyMode,
    iptablesBackend: backend === 'legacy' ? 'legacy' : 'nft',
    clusterCidrs: ['10.244.0.0/16'],
    conntrack: { ...proxyDefaults.conntrack, maxPerCore: 0 },
  },
  { signal: new AbortController().signal, log: silentLog, clock: systemClock, registry: telling(createRegistry()) },
)

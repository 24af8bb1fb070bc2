// effect: HTTP servers
// The two ports of the proxy itself: one for load balancers and kubelets (/healthz, /livez), one for operators (/metrics,
// /proxyMode, /configz).
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#daemon/clock.ts'
import { UserError } from '#daemon/error.ts'
import type { Address } from '#daemon/flags.ts'
import { serveHealth } from '#daemon/health.ts'
import type { Logger } from '#daemon/log.ts'
import { createRegistry, type Registry } from '#daemon/metrics.ts'
import { answerHealth, type HealthAnswer } from '#proxy/health/health-answer.ts'
import type { HealthState } from '#proxy/health/health-state.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'

export type ProxyHealthOptions = {
  readonly healthz: Address | undefined
  readonly metrics: Address | undefined
  readonly mode: string
  /** what /configz shows: a KubeProxyConfiguration */
  readonly configuration: unknown
  readonly state: HealthState
  isNodeEligible(): boolean
  isSynced(): boolean
  /** a port that is taken is an error; else it is tried again every few seconds */
  readonly bindAddressHardFail: boolean
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly counters: ProxyMetrics
  readonly signal: AbortSignal
}

const bindAgainMs = 5000

/** Serves until the signal is aborted. Throws UserError where a port is taken and that is to be an error. */
export async function serveProxyHealth(options: ProxyHealthOptions): Promise<void> {
  const { state, clock, counters, registry, signal } = options
  const checks = { sync: () => (options.isSynced() ? undefined : 'rules are not written yet') }
  const common = { checks, notLive: ['sync'], registry, signal }
  const health = (eligible: () => boolean | undefined, count: (code: string) => void) =>
    handler(() => {
      const answer = answerHealth(state.at(clock.now()), clock.now(), eligible())
      count(`${answer.status}`)
      return answer
    })
  const { healthz, metrics } = options
  if (healthz !== undefined)
    await bind('healthz', options, {
      ...common,
      address: healthz.host,
      port: healthz.port,
      extra: {
        '/healthz': health(options.isNodeEligible, (code) => counters.healthz.add(1, code)),
        '/livez': health(
          () => undefined,
          (code) => counters.livez.add(1, code),
        ),
      },
    })
  const indicators = createIndicators()
  if (metrics !== undefined)
    await bind('metrics', options, {
      ...common,
      address: metrics.host,
      port: metrics.port,
      extra: {
        '/healthz': handler(() => {
          indicators.observe('ping')
          return plain('ok')
        }),
        '/metrics/slis': indicators.answer,
        '/proxyMode': handler(() => plain(options.mode)),
        '/configz': handler(() => ({
          status: 200,
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ 'kubeproxy.config.k8s.io': options.configuration }),
        })),
      },
    })
}

type Served = Parameters<typeof serveHealth>[0]

async function bind(what: string, options: ProxyHealthOptions, served: Served): Promise<void> {
  const { bindAddressHardFail, clock, log, signal } = options
  try {
    await serveHealth(served)
  } catch (error) {
    if (bindAddressHardFail || !(error instanceof UserError)) throw error
    log.error(`Failed to start ${what} server`, { err: error.message })
    const stop = clock.after(bindAgainMs, () => void bind(what, options, served))
    signal.addEventListener('abort', stop, { once: true })
  }
}

/** What the checks of this process have said, in the form of Kubernetes' components; a DELETE forgets it. */
function createIndicators() {
  const registry = createRegistry()
  const last = registry.gauge('kubernetes_healthcheck', 'Whether a check held the last time.', ['name', 'type'])
  const totalLabels = ['name', 'type', 'status']
  const total = registry.counter('kubernetes_healthchecks_total', 'How often a check was made.', totalLabels)
  const seen = new Set<string>()
  return {
    /** The check held. */
    observe(name: string) {
      seen.add(name)
      last.set(1, name, 'healthz')
      total.add(1, name, 'healthz', 'success')
    },
    answer(request: IncomingMessage, response: ServerResponse) {
      response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
      if (request.method !== 'DELETE') return void response.end(registry.render())
      last.clear()
      for (const name of seen) total.remove(name, 'healthz', 'success')
      response.end('metrics reset\n')
    },
  }
}

const plain = (body: string): HealthAnswer => ({
  status: 200,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
  body,
})

const handler = (answer: () => HealthAnswer) => (_: IncomingMessage, response: ServerResponse) => {
  const { status, headers, body } = answer()
  response.writeHead(status, headers).end(body)
}

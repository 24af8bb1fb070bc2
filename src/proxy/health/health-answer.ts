// What kube-proxy of 1.36 answers on its health ports, byte for byte.
import type { Health } from '#proxy/health/health-state.ts'
import type { HealthPlan } from '#proxy/plan/health.ts'

export type HealthAnswer = {
  readonly status: 200 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const json = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' } as const

/** `/healthz` tells load balancers about the node too; `/livez` (`nodeEligible` undefined) is about the process alone. */
export function answerHealth(health: Health, nowMs: number, nodeEligible?: boolean): HealthAnswer {
  const healthy = health.healthy && nodeEligible !== false
  const status = Object.fromEntries(
    [...health.families]
      .sort(([a], [b]) => a - b)
      .map(([family, one]) => [`IPv${family}`, { lastUpdated: timeText(one.lastUpdatedMs), healthy: one.healthy }]),
  )
  const body = {
    // A healthy proxy is as good as written just now: so load balancers have read it since before there was a state.
    lastUpdated: timeText(healthy ? nowMs : health.lastUpdatedMs),
    currentTime: timeText(nowMs),
    ...(nodeEligible !== undefined && { nodeEligible }),
    healthy: health.healthy,
    ...(health.families.size > 0 && { status }),
  }
  return { status: healthy ? 200 : 503, headers: json, body: JSON.stringify(body) }
}

/** On a Service's health check node port, whatever the path. */
export function answerService(
  { namespace, name, localEndpoints }: HealthPlan,
  serviceProxyHealthy: boolean,
): HealthAnswer {
  const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy }
  return {
    status: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503,
    headers: { ...json, 'X-Load-Balancing-Endpoint-Weight': `${localEndpoints}` },
    body: JSON.stringify(body, undefined, '\t'),
  }
}

/** RFC 3339 with nanoseconds, as Go prints times; 0 is Go's zero time. */
function timeText(ms: number): string {
  if (ms === 0) return '0001-01-01T00:00:00Z'
  const fraction = String(Math.round((ms % 1000) * 1e6))
    .padStart(9, '0')
    .replace(/0+$/, '')
  const seconds = new Date(ms).toISOString().slice(0, 19)
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`
}

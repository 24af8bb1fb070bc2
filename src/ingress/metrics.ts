// effect: HAProxy's control socket
// /metrics: what the registry has, and what HAProxy has counted by Service since it was asked last.

import type { Handler } from '#daemon/health.ts'
import type { Registry } from '#daemon/metrics.ts'
import type { DataPlane } from '#ingress/haproxy/data-plane.ts'

export function serveMetrics(registry: Registry, dataPlane: () => DataPlane | undefined): Handler {
  const requests = registry.counter(
    'fairway_ingress_requests_total',
    'Answers of endpoints, by Service and by the first digit of their status.',
    ['namespace', 'service', 'port', 'code'],
  )
  const last = new Map<string, number>()
  const collect = async () => {
    for (const { backend, code, count } of (await dataPlane()
      ?.requests()
      .catch(() => [])) ?? []) {
      const key = `${backend} ${code}`
      const before = last.get(key) ?? 0
      last.set(key, count)
      const [namespace = '', service = '', port = ''] = backend.split('/')
      // A HAProxy that was started anew counts from zero.
      const more = count >= before ? count - before : count
      if (more > 0) requests.add(more, namespace, service, port, code)
    }
  }
  return (_request, response) =>
    void collect().then(() =>
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(registry.render()),
    )
}

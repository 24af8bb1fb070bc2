// effect: HAProxy's control socket
// /metrics: what the registry has, and what HAProxy has counted by Service since it was asked last.

import type { Handler } from '#daemon/health.ts'
import type { Registry } from '#daemon/metrics.ts'
import type { DataPlane } from '#ingress/haproxy/data-plane.ts'

export function serveMetrics(registry: Registry, dataPlane: () => DataPlane | undefined): Handler {
  // While no HAProxy serves there is nothing to count.
  const collect = async () =>
    dataPlane()
      ?.countRequests()
      .catch(() => {})
  return (_request, response) =>
    void collect().then(() =>
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(registry.render()),
    )
}

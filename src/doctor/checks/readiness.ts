// Pods of a Service that are there and not ready.

import type { Pod, Service } from '#api/core.ts'
import { isPodReady } from '#api/pod-state.ts'
import { inNamespace, plural, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type View } from '#doctor/view.ts'

/** `chosen`: those that its selector finds. One that is just starting is no fault while others carry its connections. */
export function notReady(view: View, service: Service, chosen: readonly Pod[]): readonly Finding[] {
  const isServed = chosen.some(isPodReady)
  const bad = chosen.filter((pod) => !isPodReady(pod) && !(isServed && isStarting(view, pod)))
  if (bad.length === 0 || service.spec?.publishNotReadyAddresses === true) return []
  const key = keyOf(service)
  const all = bad.length === chosen.length
  return [
    finding({
      code: 'PodsNotReady',
      severity: all ? 'error' : 'warning',
      about: `svc/${key}`,
      services: [key],
      summary: `${bad.length} of ${plural(chosen.length, 'pod')} of ${key} ${bad.length === 1 ? 'is' : 'are'} not ready: ${someOf(bad.map((pod) => pod.metadata?.name ?? ''))}`,
      evidence: bad.slice(0, 4).map(whyNotReady),
      consequence: all
        ? 'every connection to the Service is refused'
        : `the ${chosen.length - bad.length} others carry all connections`,
      remedy: bad
        .slice(0, 2)
        .map((pod) => `kubectl describe pod ${inNamespace(keyOf(pod))}   # its readiness probe, its events`),
    }),
  ]
}

function whyNotReady(pod: Pod): string {
  const waiting = (pod.status?.containerStatuses ?? []).flatMap(({ name, state, ready }) =>
    ready === true
      ? []
      : [`${name}: ${state?.waiting?.reason ?? state?.terminated?.reason ?? 'runs, but its readiness probe fails'}`],
  )
  const probes = (pod.spec?.containers ?? []).flatMap(({ readinessProbe: probe }) =>
    probe?.httpGet === undefined ? [] : [`GET ${probe.httpGet.path ?? '/'} at port ${probe.httpGet.port}`],
  )
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready')
  const parts = [pod.status?.phase ?? 'Unknown', ...waiting, ...probes, condition?.message ?? '']
  return `pod ${keyOf(pod)}: ${parts.filter((part) => part !== '').join('; ')}`
}

/** How long a pod may take to become ready. */
const startMs = 60_000
const harmless = [undefined, 'ContainerCreating', 'PodInitializing']

function isStarting({ takenAtMs }: View, { metadata, status }: Pod): boolean {
  const containers = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]
  const born = Date.parse(metadata?.creationTimestamp ?? '')
  return (
    takenAtMs !== undefined &&
    takenAtMs - born < startMs &&
    containers.every(({ restartCount = 0, state }) => restartCount === 0 && harmless.includes(state?.waiting?.reason))
  )
}

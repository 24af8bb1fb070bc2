// How many requests of which sort there were, under kube-apiserver's names.

import type { Registry } from '#daemon/metrics.ts'
import type { Served, ServedResources } from '#apiserver/engine/served.ts'
import type { Target } from '#apiserver/http/target.ts'

type ResourceTarget = Extract<Target, { kind: 'resource' }>

export interface RequestMetrics {
  /** A request has come; the answer is called when it is over. */
  begin(target: Target): (code: number, tookMs: number) => void
}

const durationBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
]
const labels = ['verb', 'group', 'version', 'resource', 'subresource', 'scope']

/** `isServed`: whether anybody answers there. What is not counts as one: else whoever asks for it made a figure of it. */
export function requestMetrics(registry: Registry, isServed: (target: ResourceTarget) => boolean): RequestMetrics {
  const total = registry.counter('apiserver_request_total', 'Requests by verb, resource and HTTP code.', [
    ...labels,
    'code',
  ])
  const duration = registry.histogram(
    'apiserver_request_duration_seconds',
    'How long requests took, watches and other long ones left out.',
    durationBuckets,
    labels,
  )
  const inflight = registry.gauge('apiserver_current_inflight_requests', 'Requests being answered.', ['request_kind'])
  const long = registry.gauge('apiserver_longrunning_requests', 'Open watches and streams.', labels)
  return {
    begin(target) {
      const values = labelsOf(target, isServed)
      const isLong = isLongRunning(target)
      const kind = isReadOnly(target) ? 'readOnly' : 'mutating'
      if (isLong) long.add(1, ...values)
      else inflight.add(1, kind)
      return (code, tookMs) => {
        total.add(1, ...values, String(code))
        if (isLong) return long.add(-1, ...values)
        inflight.add(-1, kind)
        return duration.observe(tookMs / 1000, ...values)
      }
    },
  }
}

const streams = new Set(['log', 'exec', 'attach', 'portforward', 'proxy'])

export const isLongRunning = (target: Target): boolean =>
  target.kind === 'resource' && (target.verb === 'watch' || streams.has(target.subresource))

const isReadOnly = ({ verb }: Target) => ['get', 'list', 'watch', 'head'].includes(verb)

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']

function labelsOf(target: Target, isServed: (target: ResourceTarget) => boolean): string[] {
  if (target.kind === 'other' || !isServed(target)) {
    const word = target.verb.toUpperCase()
    return [methods.includes(word) || target.kind === 'resource' ? word : 'other', '', '', '', '', '']
  }
  const { verb, group, version, plural, subresource, namespace, name } = target
  const scope = name !== '' ? 'resource' : namespace !== '' ? 'namespace' : 'cluster'
  const words: Record<string, string> = { create: 'POST', update: 'PUT', deletecollection: 'DELETECOLLECTION' }
  return [words[verb] ?? verb.toUpperCase(), group, version, plural, subresource, scope]
}

/** What is kept and followed; of resources that nobody has asked for yet there is no figure. */
export function countObjects(registry: Registry, served: ServedResources): void {
  const named = ({ group, plural }: Served) => (group === '' ? plural : `${plural}.${group}`)
  registry.gauge('apiserver_storage_objects', 'Objects of each resource.', ['resource'], (gauge) => {
    for (const one of served.all()) if (one.cache.isLoaded) gauge.set(one.cache.size, named(one))
  })
  registry.gauge('apiserver_registered_watchers', 'Open watches of each resource.', ['resource'], (gauge) => {
    for (const one of served.all()) if (one.cache.isLoaded) gauge.set(one.cache.watchers, named(one))
  })
}

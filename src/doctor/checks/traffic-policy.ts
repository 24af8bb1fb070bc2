// Policies that keep connections on the node to which they came: nodes on which nobody is there to take them.

import type { Service } from '#api/core.ts'
import { hasNodePorts, isHeadless, specOf } from '#api/service/traits.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, percentOf, someOf } from '#doctor/compare/words.ts'
import { slicesByService, usable } from '#doctor/expect/endpoints.ts'
import { frontsOf } from '#doctor/expect/expect.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf } from '#doctor/view.ts'

export const checkTrafficPolicies = (it: Case): readonly Finding[] =>
  it.view.slices === undefined ? [] : servicesOf(it).flatMap((service) => localNoPod(it, service))

function localNoPod({ view }: Case, service: Service): readonly Finding[] {
  const spec = specOf(service)
  if (isHeadless(spec)) return []
  const key = keyOf(service)
  const fronts = frontsOf(service, slicesByService(view.slices ?? []).get(key) ?? [])
  const backends = fronts.flatMap((front) => usable(front.backends))
  const nodes = view.nodes.filter(({ node }) => node !== undefined)
  const empty = nodes.filter(({ name }) => !backends.some(({ node }) => node === name))
  if (backends.length === 0 || empty.length === 0) return []
  const evidence = [`endpoints are on ${someOf(backends.map(({ node }) => node ?? 'no node'))}`]
  const say = (
    code: 'InternalLocalNoPod' | 'ExternalLocalNoPod',
    field: string,
    without: readonly string[],
    who: string,
  ): Finding =>
    finding({
      code,
      about: `svc/${key}`,
      services: [key],
      nodes: without,
      summary: `${key} has ${field} Local, and no endpoint on ${someOf(without)}`,
      evidence: [`service ${key}: ${field}: Local`, ...evidence],
      consequence: `100% of connections ${who} time out (${percentOf(without.length / nodes.length)} of the nodes)`,
      remedy: [
        `kubectl patch service ${inNamespace(key)} -p '{"spec":{"${field}":"Cluster"}}'`,
        '# or run its pods on every node (a DaemonSet), or let clients come to the others only',
      ],
    })
  const all = empty.map(({ name }) => name)
  // Under IPVS pods are led to endpoints of other nodes all the same (kubernetes#97081).
  const shut = empty.filter(({ machine }) => machine.virtualServers === undefined).map(({ name }) => name)
  return [
    ...(spec.internalTrafficPolicy === 'Local' && shut.length > 0
      ? [say('InternalLocalNoPod', 'internalTrafficPolicy', shut, `of pods on ${someOf(shut)} to its cluster IP`)]
      : []),
    ...(spec.externalTrafficPolicy === 'Local' && clientsChoose(service)
      ? [say('ExternalLocalNoPod', 'externalTrafficPolicy', all, `of clients outside that come to ${someOf(all)}`)]
      : []),
  ]
}

/** A load balancer asks each node's health port and leaves such nodes out; people with an address do not. */
const clientsChoose = (service: Service): boolean => {
  const spec = specOf(service)
  return (spec.externalIPs ?? []).length > 0 || (spec.type !== 'LoadBalancer' && hasNodePorts(spec))
}

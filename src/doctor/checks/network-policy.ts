// NetworkPolicies that let nobody in to the port at which a Service has its endpoints.

import type { Pod } from '#api/core.ts'
import type { NetworkPolicy } from '#api/networking.ts'
import { matchLabelSelector } from '#api/selector.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, percentOf, someOf } from '#doctor/compare/words.ts'
import { type Backend, backendsOf, slicesByService, usable } from '#doctor/expect/endpoints.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, podsByIp } from '#doctor/view.ts'

export function checkNetworkPolicies(it: Case): readonly Finding[] {
  const { view } = it
  if (view.policies.length === 0) return []
  const slices = slicesByService(view.slices ?? [])
  const pods = podsByIp(view)
  return servicesOf(it).flatMap((service) =>
    (service.spec?.ports ?? []).flatMap((port): readonly Finding[] => {
      const backends = usable(backendsOf(slices.get(keyOf(service)) ?? [], port, 4))
      const shut = backends.flatMap((backend) => {
        const pod = pods.get(backend.ip)
        const policies = pod === undefined ? [] : ingressPolicies(view.policies, pod)
        return pod !== undefined &&
          policies.length > 0 &&
          !policies.some((policy) => opens(policy, pod, backend, port.protocol ?? 'TCP'))
          ? [{ pod, policies }]
          : []
      })
      if (shut.length === 0) return []
      const key = keyOf(service)
      const names = [...new Set(shut.flatMap(({ policies }) => policies.map(keyOf)))]
      return [
        finding({
          code: 'PolicyDenies',
          about: `svc/${key}`,
          services: [key],
          summary: `NetworkPolicies let nobody in to ${someOf(shut.map(({ pod }) => keyOf(pod)))} at the port of ${key}`,
          evidence: names.map(
            (name) => `networkpolicy ${name}: no rule of ingress takes ${port.protocol ?? 'TCP'} ${backends[0]!.port}`,
          ),
          consequence: `${percentOf(shut.length / backends.length)} of new connections time out, where the pod network enforces NetworkPolicies`,
          remedy: [openTo(shut[0]!.policies[0]!, backends[0]!.port, port.protocol ?? 'TCP')],
          restsOn: ['whether the pod network enforces NetworkPolicies (flannel alone does not)'],
        }),
      ]
    }),
  )
}

/** The command that lets everybody in at a port. */
function openTo(policy: NetworkPolicy, port: number, protocol: string): string {
  const rule = { ports: [{ port, protocol }] }
  const isFirst = (policy.spec?.ingress ?? []).length === 0
  const patch = [{ op: 'add', path: `/spec/ingress${isFirst ? '' : '/-'}`, value: isFirst ? [rule] : rule }]
  return `kubectl patch networkpolicy ${inNamespace(keyOf(policy))} --type=json -p '${JSON.stringify(patch)}'`
}

/** Those that choose a pod and speak of what comes in. */
const ingressPolicies = (policies: readonly NetworkPolicy[], pod: Pod): readonly NetworkPolicy[] =>
  policies.filter(
    ({ metadata, spec }) =>
      metadata?.namespace === pod.metadata?.namespace &&
      (spec?.policyTypes?.includes('Ingress') ?? true) &&
      matchLabelSelector(spec?.podSelector ?? {}, pod.metadata?.labels),
  )

/** Whether somebody at least may come in at the port. */
function opens({ spec }: NetworkPolicy, pod: Pod, { port }: Backend, protocol: string): boolean {
  const named = (name: string) =>
    (pod.spec?.containers ?? []).flatMap(({ ports = [] }) => ports).find((one) => one.name === name)?.containerPort
  return (spec?.ingress ?? []).some(({ ports }) => {
    if (ports === undefined || ports.length === 0) return true
    return ports.some(({ port: first, endPort, protocol: of = 'TCP' }) => {
      if (of !== protocol) return false
      if (first === undefined) return true
      const start = typeof first === 'number' ? first : named(first)
      return start !== undefined && port >= start && port <= (endPort ?? start)
    })
  })
}

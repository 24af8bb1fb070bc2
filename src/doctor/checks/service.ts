// Services that cannot answer by what their own objects say.

import type { Service } from '#api/core.ts'
import { hasSelector, isHeadless, specOf } from '#api/service/traits.ts'
import { parseCidr } from '#lib/cidr.ts'
import { nearest } from '#lib/nearest.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, percentOf, plural, someOf } from '#doctor/compare/words.ts'
import { slicesByService, usable } from '#doctor/expect/endpoints.ts'
import { frontsOf } from '#doctor/expect/expect.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf } from '#doctor/view.ts'

export function checkService(it: Case): readonly Finding[] {
  return [
    ...missing(it),
    ...servicesOf(it).flatMap((service) => [
      ...empty(it, service),
      ...policyLocal(it, service),
      ...pending(service),
      ...ranges(service),
      ...ownName(service),
    ]),
  ]
}

function missing({ view, only }: Case): readonly Finding[] {
  if (only === undefined || view.services === undefined || view.services.some((service) => keyOf(service) === only))
    return []
  const [namespace = 'default', name = ''] = only.split('/')
  const same = view.services.filter(({ metadata }) => metadata?.name === name).map(keyOf)
  const near = nearest(
    name,
    view.services
      .filter(({ metadata }) => metadata?.namespace === namespace)
      .map(({ metadata }) => metadata?.name ?? ''),
  )
  const evidence = [
    ...same.map((key) => `there is ${key}, whose name is ${key.split('/').toReversed().join('.')}`),
    ...(near === undefined ? [] : [`there is ${namespace}/${near}`]),
  ]
  return [
    finding({
      code: 'ServiceMissing',
      about: `svc/${only}`,
      services: [only],
      summary: `there is no Service ${only}`,
      evidence: evidence.length > 0 ? evidence : [`${plural(view.services.length, 'Service')}, none of that name`],
      consequence: `its name does not resolve (NXDOMAIN), in 100% of lookups; a short name is looked for in the namespace of the pod that asks`,
      remedy: [
        same.length > 0
          ? `# ask for ${same[0]!.split('/').toReversed().join('.')}`
          : `kubectl create service clusterip ${inNamespace(only)} --tcp=80:8080   # with the right ports`,
      ],
    }),
  ]
}

/** Without a selector somebody has to write the slices. */
function empty({ view }: Case, service: Service): readonly Finding[] {
  const spec = specOf(service)
  if (view.slices === undefined || hasSelector(spec) || spec.type === 'ExternalName') return []
  const key = keyOf(service)
  const own = slicesByService(view.slices).get(key) ?? []
  if (own.some(({ endpoints = [] }) => endpoints.length > 0)) return []
  return [
    finding({
      code: 'NoEndpoints',
      about: `svc/${key}`,
      services: [key],
      summary: `${key} has no selector, and no EndpointSlice is for it`,
      evidence: [
        `service ${key}: spec.selector is empty`,
        `no EndpointSlice with kubernetes.io/service-name=${key.split('/')[1]} has an endpoint`,
      ],
      consequence: 'every connection to it is refused',
      remedy: ['# give it a selector, or write an EndpointSlice with that label in its namespace'],
    }),
  ]
}

function policyLocal({ view }: Case, service: Service): readonly Finding[] {
  const spec = specOf(service)
  if (view.slices === undefined || isHeadless(spec)) return []
  const key = keyOf(service)
  const fronts = frontsOf(service, slicesByService(view.slices).get(key) ?? [])
  const backends = fronts.flatMap((front) => usable(front.backends))
  if (backends.length === 0) return []
  const nodes = view.nodes.filter(({ node }) => node !== undefined).map(({ name }) => name)
  const without = nodes.filter((name) => !backends.some(({ node }) => node === name))
  if (without.length === 0) return []
  const base = { about: `svc/${key}`, services: [key], nodes: without }
  const evidence = [`endpoints are on ${someOf(backends.map(({ node }) => node ?? 'no node'))}`]
  const isInternal = spec.internalTrafficPolicy === 'Local'
  return isInternal
    ? [
        finding({
          ...base,
          code: 'InternalLocalNoPod',
          summary: `${key} has internalTrafficPolicy Local, and no endpoint on ${someOf(without)}`,
          evidence: [`service ${key}: internalTrafficPolicy: Local`, ...evidence],
          consequence: `100% of connections of pods on ${someOf(without)} to its cluster IP time out (${percentOf(without.length / nodes.length)} of the nodes)`,
          remedy: [
            `kubectl patch service ${inNamespace(key)} -p '{"spec":{"internalTrafficPolicy":"Cluster"}}'`,
            '# or run its pods on every node (a DaemonSet)',
          ],
        }),
      ]
    : []
}

function pending(service: Service): readonly Finding[] {
  const spec = specOf(service)
  if (spec.type !== 'LoadBalancer' || (service.status?.loadBalancer?.ingress ?? []).length > 0) return []
  const key = keyOf(service)
  const name = spec.loadBalancerClass
  return [
    finding({
      code: 'LoadBalancerPending',
      about: `svc/${key}`,
      services: [key],
      summary: `${key} waits for an address of a load balancer`,
      evidence: [
        `service ${key}: status.loadBalancer is empty${name === undefined ? '' : `, loadBalancerClass ${name}`}`,
      ],
      consequence: 'clients outside have no address for it; its node ports and its cluster IP do not depend on that',
      remedy: [
        '# start a provider: fairway up --load-balancers ..., fairway balancer --pool ..., MetalLB, a cloud controller',
        `kubectl describe service ${inNamespace(key)}   # what a provider said: an empty pool, a class that is not its own`,
      ],
    }),
  ]
}

function ranges(service: Service): readonly Finding[] {
  const spec = specOf(service)
  const list = spec.loadBalancerSourceRanges ?? []
  if (spec.type !== 'LoadBalancer' || list.length === 0) return []
  const bad = list.filter((text) => parseCidr(text.trim()) === undefined)
  const families = new Set(list.flatMap((text) => parseCidr(text.trim())?.base.length ?? []))
  const unreached = (service.status?.loadBalancer?.ingress ?? []).filter(
    ({ ip }) => ip !== undefined && families.size > 0 && !families.has(ip.includes(':') ? 16 : 4),
  )
  if (bad.length === 0 && unreached.length === 0) return []
  const key = keyOf(service)
  return [
    finding({
      code: 'SourceRangesUnfit',
      about: `svc/${key}`,
      services: [key],
      summary:
        bad.length > 0
          ? `loadBalancerSourceRanges of ${key} has what is no range: ${someOf(bad)}`
          : `loadBalancerSourceRanges of ${key} has no range of the family of ${someOf(unreached.map(({ ip }) => ip ?? ''))}`,
      evidence: [`service ${key}: loadBalancerSourceRanges: ${list.join(', ')}`],
      consequence:
        'who comes in is not whom the ranges were meant for: a family without a range is open to all, a wrong range lets nobody in',
      remedy: [`kubectl edit service ${inNamespace(key)}   # write ranges as 192.0.2.0/24, one for each family`],
    }),
  ]
}

function ownName(service: Service): readonly Finding[] {
  const { type, externalName } = specOf(service)
  const key = keyOf(service)
  const [namespace, name] = key.split('/')
  if (type !== 'ExternalName' || externalName === undefined || !externalName.startsWith(`${name}.${namespace}.svc`))
    return []
  return [
    finding({
      code: 'NameLoop',
      about: `svc/${key}`,
      services: [key],
      summary: `${key} is another name for itself: ${externalName}`,
      evidence: [`service ${key}: externalName: ${externalName}`],
      consequence: '100% of lookups of its name fail',
      remedy: [
        `kubectl patch service ${inNamespace(key)} -p '{"spec":{"externalName":"the.real.name"}}'   # fill in the name outside`,
      ],
    }),
  ]
}

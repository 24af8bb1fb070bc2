// Services that cannot answer by what their own objects say.

import type { Service } from '#api/core.ts'
import { hasSelector, specOf } from '#api/service/traits.ts'
import { nearest } from '#lib/nearest.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, plural } from '#doctor/compare/words.ts'
import { slicesByService } from '#doctor/expect/endpoints.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf } from '#doctor/view.ts'

export function checkService(it: Case): readonly Finding[] {
  return [
    ...missing(it),
    ...servicesOf(it).flatMap((service) => [...empty(it, service), ...pending(service), ...ownName(service)]),
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
        same.length > 0 || near !== undefined
          ? `fairway doctor svc/${same[0] ?? `${namespace}/${near}`}   # if that one is meant: ${(same[0] ?? `${namespace}/${near}`).split('/').toReversed().join('.')}`
          : `kubectl create service clusterip ${inNamespace(only)} --tcp=80:8080   # with the right ports`,
      ],
    }),
  ]
}

/** Without a selector somebody has to write the slices. */
function empty({ view }: Case, service: Service): readonly Finding[] {
  const spec = specOf(service)
  if (view.slices === undefined || view.slicesFrom === 'pods' || hasSelector(spec) || spec.type === 'ExternalName')
    return []
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
      remedy: [
        `kubectl set selector service ${inNamespace(key)} app=${key.split('/')[1]}   # the labels of its pods; or write an EndpointSlice with that label`,
      ],
    }),
  ]
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
        `kubectl describe service ${inNamespace(key)}   # what a provider said: an empty pool, a class that is not its own`,
        ...(name === undefined
          ? [
              'fairway balancer --address-pool 192.0.2.0/24   # a provider, with addresses of your network; others: MetalLB, a cloud controller',
            ]
          : []),
      ],
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

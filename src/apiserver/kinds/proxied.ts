// Where requests to the /proxy of a pod, a Service or a node go, and what Kubernetes says where they go nowhere.

import type { Backend, Located, ProxyRequest, Refused } from '#apiserver/kind.ts'
import { checkEndpointIp } from '#api/address.ts'
import { endpoints, type Node, type Pod, pods, type Service, services } from '#api/core.ts'
import { quote } from '#api/go-text.ts'
import { badRequest, notFound, serviceUnavailable } from '#api/status.ts'
import type { Status } from '#api/meta.ts'

type Location = Promise<Located | Refused>

const refuse = (status: Status): Refused => ({ kind: 'status', status })
const to = (backend: Backend): Located => ({ kind: 'backend', backend })
/** What `http:` and `https:` mean where no port is named. */
const usualPort = { http: 80, https: 443 } as const

/** Without a port: the first one that any container names. */
export async function proxyToPod({ object, scheme, port }: ProxyRequest<Pod>): Location {
  const { name = '', namespace = '' } = object.metadata ?? {}
  const { nodeName = '', containers = [] } = object.spec ?? {}
  if (!isProxyable(object.status?.podIPs?.[0]?.ip ?? '')) return refuse(badRequest('address not allowed'))
  const named = containers.flatMap(({ ports = [] }) => ports).map(({ containerPort }) => containerPort)
  const number = port === '' ? (named[0] ?? usualPort[scheme]) : portNumber(port)
  if (number === undefined) return refuse(serviceUnavailable(`error trying to reach service: unknown port tcp/${port}`))
  return to({ kind: 'pod', node: nodeName, namespace, pod: name, scheme, port: number })
}

/** To one of its endpoints that is a pod, by chance. */
export async function proxyToService({ object, scheme, port, context }: ProxyRequest<Service>): Location {
  const { name = '', namespace = '' } = object.metadata ?? {}
  const number = portNumber(port)
  const declared = object.spec?.ports?.find((one) => one.port === number)
  if (number !== undefined && declared === undefined)
    return refuse(serviceUnavailable(`no service port ${number} found for service ${quote(name)}`))
  const portName = declared === undefined ? port : (declared.name ?? '')
  const found = await context.objects.get(endpoints, namespace, name)
  if (found === undefined) return refuse(notFound(services, name))
  const candidates = (found.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports
      .filter((one) => (one.name ?? '') === portName)
      .flatMap((one) => addresses.map((address) => ({ address, port: one.port }))),
  )
  const first = candidates.length === 0 ? 0 : context.random(candidates.length)
  for (const { address, port } of [...candidates.slice(first), ...candidates.slice(0, first)]) {
    const { targetRef, ip } = address
    if (targetRef?.kind !== 'Pod') continue
    const pod = await context.objects.get(pods, targetRef.namespace ?? namespace, targetRef.name ?? '')
    // An endpoint that someone wrote by hand must not lead elsewhere than to the pod that it names.
    if (pod === undefined || !isProxyable(ip) || !pod.status?.podIPs?.some((one) => one.ip === ip)) continue
    const { metadata, spec } = pod
    return to({
      kind: 'pod',
      node: spec?.nodeName ?? '',
      namespace: metadata?.namespace ?? '',
      pod: metadata?.name ?? '',
      scheme,
      port,
    })
  }
  const asked = found.subsets?.length ? context.name : name
  return refuse(serviceUnavailable(`no endpoints available for service ${quote(asked)}`))
}

/** Without a port, and at the agent's own: to the agent, as its administrator. */
export async function proxyToNode({ object, scheme, port }: ProxyRequest<Node>): Location {
  const node = object.metadata?.name ?? ''
  const agentPort = object.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250
  const number = portNumber(port)
  if (port === '' || number === agentPort) return to({ kind: 'agent', node })
  if (number === undefined) return refuse(serviceUnavailable(`error trying to reach service: unknown port tcp/${port}`))
  return to({ kind: 'node', node, scheme, port: number })
}

const isProxyable = (ip: string) => checkEndpointIp('', ip).length === 0

const portNumber = (text: string): number | undefined =>
  /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65536 ? Number(text) : undefined

// A port of a Service and the processes behind it: the name, the number, the protocol.

import type { Pod, Service } from '#api/core.ts'
import { hasSelector, specOf } from '#api/service/traits.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { podsBehind } from '#doctor/checks/selector.ts'
import { inNamespace, percentOf, someOf } from '#doctor/compare/words.ts'
import { type Backend, backendsOf, slicesByService, usable } from '#doctor/expect/endpoints.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, podsByIp } from '#doctor/view.ts'
import { listensAt } from '#kernel/dump/sockets.ts'
import { renderEnd } from '#trace/packet.ts'

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number]

export function checkPorts(it: Case): readonly Finding[] {
  const slices = slicesByService(it.view.slices ?? [])
  return servicesOf(it).flatMap((service) =>
    (service.spec?.ports ?? []).flatMap((port) => {
      const named = namedPort(it, service, port)
      if (named.length > 0) return named
      const own = slices.get(keyOf(service)) ?? []
      const backends = ([4, 6] as const).flatMap((family) => usable(backendsOf(own, port, family)))
      return listeners(it, service, port, backends)
    }),
  )
}

function namedPort({ view }: Case, service: Service, port: Port): readonly Finding[] {
  const { targetPort } = port
  if (typeof targetPort !== 'string' || /^\d+$/.test(targetPort) || !hasSelector(specOf(service))) return []
  const pods = podsBehind(view.pods ?? [], service)
  const declared = (pod: Pod) =>
    [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].flatMap(({ ports = [] }) => ports)
  const isDeclared = (pod: Pod) =>
    declared(pod).some(({ name, protocol = 'TCP' }) => name === targetPort && protocol === (port.protocol ?? 'TCP'))
  const bad = pods.filter((pod) => !isDeclared(pod))
  if (pods.length === 0 || bad.length === 0) return []
  const key = keyOf(service)
  const names = bad
    .flatMap(declared)
    .flatMap(({ name, containerPort }) => (name === undefined ? [`${containerPort}`] : [`${name} (${containerPort})`]))
  const [first] = bad.flatMap(declared)
  const sockets = view.podSockets.get(keyOf(bad[0]!)) ?? []
  const number =
    first === undefined
      ? sockets.find(({ protocol }) => protocol === (port.protocol ?? 'TCP').toLowerCase())?.port
      : (first.name ?? first.containerPort)
  return [
    finding({
      code: 'NamedPortMissing',
      about: `svc/${key}`,
      services: [key],
      summary: `no container of ${bad.length === pods.length ? 'its pods' : `${bad.length} of its pods`} declares the port "${targetPort}" that ${key} names`,
      evidence: [
        `service ${key}: targetPort: ${targetPort}`,
        `pod ${keyOf(bad[0]!)} declares ${someOf(names) || 'no port'}`,
      ],
      consequence: `${percentOf(bad.length / pods.length)} of the pods get no connection at port ${port.port}, as if they were not there`,
      remedy: [
        number === undefined
          ? `kubectl describe pod ${inNamespace(keyOf(bad[0]!))}   # which port it has: name it in the template, ports: [{ name: ${targetPort}, containerPort: ... }]`
          : `kubectl patch service ${inNamespace(key)} --type=json -p '${JSON.stringify([{ op: 'replace', path: `/spec/ports/${(service.spec?.ports ?? []).indexOf(port)}/targetPort`, value: number }])}'`,
      ],
    }),
  ]
}

function listeners({ view }: Case, service: Service, port: Port, backends: readonly Backend[]): readonly Finding[] {
  const pods = podsByIp(view)
  const protocol = (port.protocol ?? 'TCP').toLowerCase()
  if (protocol === 'sctp') return []
  const known = backends.flatMap((backend) => {
    const pod = pods.get(backend.ip)
    const sockets = pod && view.podSockets.get(keyOf(pod))
    return pod === undefined || sockets === undefined
      ? []
      : [{ backend, pod, sockets, is: listensAt(sockets, protocol, backend.port, backend.ip) }]
  })
  const silent = known.filter(({ is }) => is !== 'yes')
  if (silent.length === 0) return []
  const key = keyOf(service)
  const other = protocol === 'tcp' ? 'udp' : 'tcp'
  const swapped = silent.every(({ sockets, backend }) => listensAt(sockets, other, backend.port, backend.ip) === 'yes')
  const [{ sockets, backend, pod, is }] = silent as [(typeof silent)[number]]
  const open = sockets
    .filter(({ ip }) => ip === undefined || ip === backend.ip)
    .map((socket) => `${socket.port}/${socket.protocol}`)
  const index = (service.spec?.ports ?? []).indexOf(port)
  const change = (field: string, value: string | number) =>
    `kubectl patch service ${inNamespace(key)} --type=json -p '${JSON.stringify([{ op: 'replace', path: `/spec/ports/${index}/${field}`, value }])}'`
  const candidates = [
    ...new Set(
      sockets
        .filter((socket) => socket.protocol === protocol && (socket.ip === undefined || socket.ip === backend.ip))
        .map((socket) => socket.port),
    ),
  ]
  return [
    finding({
      code: swapped ? 'ProtocolMismatch' : 'NoListener',
      about: `svc/${key}`,
      services: [key],
      summary: swapped
        ? `${key} takes ${protocol.toUpperCase()} at port ${port.port}, but its pods listen with ${other.toUpperCase()}`
        : `nobody listens at ${renderEnd(backend.ip, backend.port)}/${protocol}, where port ${port.port} of ${key} leads${is === 'only local' ? ': only at the loopback address' : ''}`,
      evidence: [
        `service ${key}: port ${port.port}, targetPort ${port.targetPort ?? port.port}, protocol ${port.protocol ?? 'TCP'}`,
        `pod ${keyOf(pod)} listens at ${someOf(open) || 'no port'}`,
      ],
      consequence: `${percentOf(silent.length / backends.length)} of new connections are refused by the pods themselves`,
      remedy: swapped
        ? [change('protocol', other.toUpperCase())]
        : is !== 'only local' && candidates.length > 0
          ? [
              `${change('targetPort', candidates[0]!)}${candidates.length > 1 ? `   # or ${candidates.slice(1).join(', ')}` : ''}`,
            ]
          : [
              `kubectl logs ${inNamespace(keyOf(pod))} --tail=20   # why its program ${is === 'only local' ? 'listens at 127.0.0.1 only: it has to listen at 0.0.0.0 or ::' : 'does not listen'}`,
            ],
    }),
  ]
}

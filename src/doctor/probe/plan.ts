// Which real connections are worth trying: from a pod and from the node itself, on each node, to every address of a Service;
// from outside to node ports; and the question for its name.

import type { Pod, Service } from '#api/core.ts'
import { isHeadless, specOf } from '#api/service/traits.ts'
import type { Comparison } from '#doctor/compare/compare.ts'
import { askersOf } from '#doctor/dns/askers.ts'
import { type Forward, forwardsOf } from '#doctor/dns/forwards.ts'
import { pathSamples } from '#doctor/checks/paths.ts'
import type { Front } from '#doctor/expect/expect.ts'
import { keyOf, type NodeView, type View } from '#doctor/view.ts'
import { parseResolvConf } from '#lib/resolv-conf.ts'
import { podIps } from '#trace/world.ts'

/** `pod/NAMESPACE/NAME`, `node/NAME`, `client`: outside the cluster. */
export type Place = string

export type Probe = {
  readonly from: Place
  /** of the sender, `''` where it chooses by itself */
  readonly source: string
  /** on which the sender is, or to which a client outside comes */
  readonly node: string
  /** `namespace/name`; '' where it is about none */
  readonly service: string
} & (
  | {
      readonly kind: 'connection'
      readonly front: Front
      readonly protocol: 'tcp' | 'udp'
      readonly ip: string
      readonly port: number
      /** ask for `/` once the connection is open */
      readonly http: boolean
    }
  | {
      readonly kind: 'name'
      readonly server: string
      readonly name: string
      /** addresses that it stands for; undefined: whatever another name says */
      readonly wanted: readonly string[]
    }
  | {
      /** of a pod of the DNS, to a server that it asks about names outside */
      readonly kind: 'question'
      readonly protocol: 'udp'
      readonly ip: string
      readonly port: number
      readonly forward: Forward
    }
)

export type ProbePlan = {
  readonly probes: readonly Probe[]
  /** how many more there would have been */
  readonly left: number
}

/** More than these are not sent in one run. */
export const mostProbes = 256

/** Whether one can send from a place, and whether anything can come to an address at all. */
export type Reach = { has(place: Place): boolean; reaches(ip: string): boolean }

/** `only`: of one Service, which servers outside do not concern. */
export function planProbes(view: View, { fronts }: Comparison, { has, reaches }: Reach, only?: string): ProbePlan {
  const samples = pathSamples(view)
  const all = fronts.flatMap(({ service, front }) =>
    view.nodes.flatMap((node) => connections(service, front, node, samples)),
  )
  const services = new Map(fronts.map(({ service }) => [keyOf(service), service]))
  const names = [...services.values()].flatMap((service) => samples.flatMap((pod) => nameProbe(view, service, pod)))
  // One for each Service before the second for any.
  const asked = only === undefined ? questions(view).filter(({ ip }) => reaches(ip)) : []
  const possible = spread([...asked, ...names, ...all].filter(({ from }) => has(from)))
  return { probes: possible.slice(0, mostProbes), left: Math.max(0, possible.length - mostProbes) }
}

function spread(probes: readonly Probe[]): readonly Probe[] {
  const byService = [...Map.groupBy(probes, ({ service }) => service).values()]
  const longest = Math.max(0, ...byService.map((list) => list.length))
  return Array.from({ length: longest }, (_, i) => byService.flatMap((list) => list[i] ?? [])).flat()
}

function connections(service: Service, front: Front, node: NodeView, samples: readonly Pod[]): readonly Probe[] {
  const { protocol, port, kind, family, ip = addressOf(node.ips, family) } = front
  // Affinity would remember who tried.
  if (ip === undefined || protocol === 'sctp' || specOf(service).sessionAffinity === 'ClientIP') return []
  const base = {
    kind: 'connection' as const,
    node: node.name,
    service: keyOf(service),
    front,
    protocol: protocol as 'tcp' | 'udp',
    ip,
    port,
    http: speaksHttp(service, front),
  }
  if (kind === 'node-port') return [{ ...base, from: 'client', source: '' }]
  return [
    ...samples
      .filter(({ spec }) => spec?.nodeName === node.name)
      .flatMap((pod) => {
        const source = addressOf(podIps(pod), family)
        return source === undefined ? [] : [{ ...base, from: `pod/${keyOf(pod)}`, source }]
      }),
    { ...base, from: `node/${node.name}`, source: '' },
  ]
}

const addressOf = (ips: readonly string[], family: 4 | 6): string | undefined =>
  ips.find((ip) => ip.includes(':') === (family === 6))

/** Each pod of the DNS asks each of its servers. */
const questions = (view: View) =>
  forwardsOf(view).forwards.flatMap((forward) =>
    askersOf(view, forward).flatMap(({ pod, servers }) =>
      pod === undefined || pod.status?.phase !== 'Running'
        ? []
        : servers.flatMap(({ ip, port, protocol }) => {
            const isOnNode = pod.spec?.hostNetwork === true
            const node = pod.spec?.nodeName ?? ''
            const source = isOnNode ? '' : addressOf(podIps(pod), ip.includes(':') ? 6 : 4)
            const from = isOnNode ? `node/${node}` : `pod/${keyOf(pod)}`
            return protocol === 'udp' && source !== undefined
              ? [{ kind: 'question' as const, protocol, from, source, node, service: '', ip, port, forward }]
              : []
          }),
    ),
  )

/** By what the Service says of its port, else by the port's number. */
function speaksHttp({ spec }: Service, { protocol, portName, port }: Front): boolean {
  const own = spec?.ports?.find(({ name = '' }) => name === portName)
  if (protocol !== 'tcp') return false
  return own?.appProtocol === undefined ? /^(http|web)(-|$)/.test(portName) || port === 80 : own.appProtocol === 'http'
}

/** A pod asks the first server of its resolv.conf, by the whole name. */
function nameProbe(view: View, service: Service, pod: Pod): readonly Probe[] {
  const text = view.podTexts.get(keyOf(pod))?.get('resolv.conf')
  const { servers, searches } = parseResolvConf(text ?? '')
  const [server] = servers
  const suffix = searches.find((domain) => domain.startsWith('svc.'))
  const spec = specOf(service)
  if (server === undefined || suffix === undefined || isHeadless(spec) || spec.type === 'ExternalName') return []
  const [namespace, name] = keyOf(service).split('/')
  return [
    {
      kind: 'name',
      from: `pod/${keyOf(pod)}`,
      source: podIps(pod)[0] ?? '',
      node: pod.spec?.nodeName ?? '',
      service: keyOf(service),
      server,
      name: `${name}.${namespace}.${suffix}`,
      wanted: (spec.clusterIPs ?? []).filter((ip) => !ip.includes(':')),
    },
  ]
}

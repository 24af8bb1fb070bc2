// The whole path of one Service, step by step: what was looked at and how it stands, and not only what is wrong.

import type { Pod, Service } from '#api/core.ts'
import { isPodReady } from '#api/pod-state.ts'
import { hasSelector, isHeadless, specOf } from '#api/service/traits.ts'
import { podsBehind } from '#doctor/checks/selector.ts'
import { pathSamples } from '#doctor/checks/paths.ts'
import { dnsServiceOf } from '#doctor/dns/cluster-dns.ts'
import { type Code, factsOf, type Stage } from '#doctor/codes.ts'
import { type Comparison, knowsRules } from '#doctor/compare/compare.ts'
import { nameOfFront, plural, someOf } from '#doctor/compare/words.ts'
import { type Backend, slicesByService, usable } from '#doctor/expect/endpoints.ts'
import { frontsOf } from '#doctor/expect/expect.ts'
import type { Finding } from '#doctor/finding.ts'
import { listensAt } from '#kernel/dump/sockets.ts'
import { keyOf, type NodeView, podsByIp, type View } from '#doctor/view.ts'
import { renderEnd } from '#trace/packet.ts'

export type ChecklistStep = {
  readonly stage: Stage
  /** `unknown`: for lack of an input */
  readonly state: 'passed' | 'warned' | 'failed' | 'unknown'
  /** what was seen; of a step that failed, the summaries of its findings */
  readonly text: string
  readonly findings: readonly Code[]
}

/** What a step saw where nothing is wrong, or which input it lacks. */
type Seen = { readonly text: string; readonly isKnown: boolean }
const seen = (text: string): Seen => ({ text, isKnown: true })
const unseen = (text: string): Seen => ({ text, isKnown: false })

/** In the order of a diagnosis; rules have a step for each node. Only the first where there is no such Service. */
export function checklist(
  view: View,
  comparison: Comparison,
  findings: readonly Finding[],
  key: string,
): readonly ChecklistStep[] {
  const about = findings
    .flatMap((item) => [item, ...item.folded])
    .filter(({ services }) => services.length === 0 || services.includes(key))
  const step = (stage: Stage, what: Seen, node?: string): ChecklistStep => {
    const own = about.filter(
      ({ code, nodes }) =>
        factsOf(code).stage === stage && (node === undefined || nodes.length === 0 || nodes.includes(node)),
    )
    const text = own.length === 0 ? what.text : [...new Set(own.map(({ summary }) => summary))].join('; ')
    const state = own.some(({ severity }) => severity === 'error')
      ? 'failed'
      : own.length > 0
        ? 'warned'
        : what.isKnown
          ? 'passed'
          : 'unknown'
    return { stage, state, text, findings: [...new Set(own.map(({ code }) => code))] }
  }
  const service = view.services?.find((one) => keyOf(one) === key)
  if (service === undefined) return [step('object', unseen('no Services were given'))]
  const spec = specOf(service)
  const head = [step('object', seen(describe(service))), step('dns', seenOfNames(view, key))]
  if (spec.type === 'ExternalName') return head
  const pods = view.pods && hasSelector(spec) ? podsBehind(view.pods, service) : undefined
  const backends = backendsOfAll(view, service)
  const stands = [
    step('selector', seenOfSelector(service, pods)),
    step('readiness', seenOfReadiness(pods)),
    step('endpoints', seenOfEndpoints(view, backends)),
    step('listener', seenOfListeners(view, service, backends)),
    step('node', seenOfNodes(view)),
  ]
  const rules = isHeadless(spec)
    ? []
    : view.nodes
        .filter((node) => knowsRules(node))
        .map((node) => step('proxy', seenOfRules(comparison, node, key), node.name))
  return [
    ...head,
    ...stands,
    ...rules,
    step('network', seenOfNetwork(view)),
    ...(isHeadless(spec) ? [] : [step('hairpin', seenOfHairpin(view, backends))]),
  ]
}

function describe(service: Service): string {
  const { type = 'ClusterIP', clusterIP, externalName, ports = [] } = specOf(service)
  if (type === 'ExternalName') return `another name for ${externalName}`
  const list = ports.map(({ port, protocol = 'TCP', targetPort }) => `${port}/${protocol} to ${targetPort ?? port}`)
  return `${type} at ${clusterIP === 'None' ? 'no cluster IP (headless)' : clusterIP}, ${list.join(', ')}`
}

/** What only follows from what pods of the DNS say of themselves. */
function seenOfNames(view: View, key: string): Seen {
  const { slices } = view
  const [namespace, name] = key.split('/')
  const dns = dnsServiceOf(view)
  if (dns === undefined || slices === undefined) return unseen('the cluster DNS is not among the inputs')
  const own = (slicesByService(slices).get(keyOf(dns)) ?? []).flatMap(({ endpoints = [] }) => endpoints)
  const ready = own.filter(({ conditions }) => conditions?.ready !== false).length
  return seen(
    `${name}.${namespace}.svc is asked of ${dns.spec?.clusterIP}; ${ready} of ${plural(own.length, 'endpoint')} of the cluster DNS ready`,
  )
}

function seenOfSelector(service: Service, pods: readonly Pod[] | undefined): Seen {
  if (!hasSelector(specOf(service))) return seen('no selector: somebody else writes its EndpointSlices')
  if (pods === undefined) return unseen('no pods were given')
  const labels = Object.entries(service.spec?.selector ?? {}).map(([label, value]) => `${label}=${value}`)
  return seen(`${labels.join(',')} matches ${plural(pods.length, 'pod')}`)
}

const seenOfReadiness = (pods: readonly Pod[] | undefined): Seen =>
  pods === undefined
    ? unseen('no pods were given')
    : seen(`${pods.filter(isPodReady).length} of ${plural(pods.length, 'pod')} ready`)

const backendsOfAll = (view: View, service: Service): readonly Backend[] => {
  const fronts = frontsOf(service, slicesByService(view.slices ?? []).get(keyOf(service)) ?? [])
  return [
    ...new Map(
      fronts.flatMap(({ backends }) => usable(backends)).map((one) => [renderEnd(one.ip, one.port), one]),
    ).values(),
  ]
}

const seenOfEndpoints = ({ slices }: View, backends: readonly Backend[]): Seen =>
  slices === undefined
    ? unseen('no EndpointSlices were given')
    : seen(someOf(backends.map(({ ip, port }) => renderEnd(ip, port))) || 'none by a cluster IP')

function seenOfListeners(view: View, service: Service, backends: readonly Backend[]): Seen {
  const pods = podsByIp(view)
  const known = backends.flatMap(({ ip, port }) => {
    const pod = pods.get(ip)
    const sockets = pod && view.podSockets.get(keyOf(pod))
    return sockets === undefined ? [] : [{ ip, port, sockets }]
  })
  if (known.length === 0) return unseen('not given: sockets of its pods (ss -lntu)')
  const protocols = (service.spec?.ports ?? []).map(({ protocol = 'TCP' }) => protocol.toLowerCase())
  const listening = known.filter(({ ip, port, sockets }) =>
    protocols.some((protocol) => listensAt(sockets, protocol, port, ip) === 'yes'),
  )
  return seen(
    `a process listens at ${listening.length} of ${plural(backends.length, 'endpoint')}${known.length < backends.length ? `; of ${backends.length - known.length} nothing is known` : ''}`,
  )
}

function seenOfNodes({ nodes }: View): Seen {
  const known = nodes.filter(({ machine }) => machine.sysctls !== undefined)
  return known.length === 0
    ? unseen('not given: parameters of any kernel (sysctl -a)')
    : seen(`${someOf(known.map(({ name }) => name))}: forwards packets, has room for connections, a proxy listens`)
}

function seenOfRules({ asked, fronts }: Comparison, { name }: NodeView, key: string): Seen {
  const own = fronts.filter(({ service }) => keyOf(service) === key)
  if (!asked.has(name)) return unseen(`${name}: its rules were not given, or nobody is behind the Service`)
  return seen(`${name}: the rules do what the objects demand at ${someOf(own.map(({ front }) => nameOfFront(front)))}`)
}

function seenOfNetwork(view: View): Seen {
  const names = pathSamples(view).map(({ spec }) => spec?.nodeName ?? '')
  return names.length < 2
    ? unseen('not given: routes and a pod of two nodes at least')
    : seen(`pods of ${someOf(names)} reach each other, by routes, neighbours and rules`)
}

function seenOfHairpin(view: View, backends: readonly Backend[]): Seen {
  const nodes = new Set(backends.flatMap(({ node }) => node ?? []))
  const known = view.nodes.filter(({ name, machine }) => nodes.has(name) && machine.links !== undefined)
  return known.length === 0
    ? unseen('not given: interfaces of nodes with endpoints (ip -d -j addr)')
    : seen(`a pod that is chosen for its own connection gets it, on ${someOf(known.map(({ name }) => name))}`)
}

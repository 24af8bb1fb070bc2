// Whom the cluster's DNS asks about names outside: itself, nobody, or servers that its questions do not reach.

import type { Pod } from '#api/core.ts'
import {
  type BrokenCorefile,
  dnsAddressesOf,
  type Forward,
  forwardsOf,
  type ResolvConfOfPod,
  resolvConfOf,
  type Target,
} from '#doctor/cluster-dns.ts'
import type { Case } from '#doctor/checks/check.ts'
import { isReady } from '#doctor/checks/selector.ts'
import { codeOfEnding, remedyOfEnding } from '#doctor/compare/ending.ts'
import { decidingStep, renderStep } from '#doctor/compare/owner.ts'
import { inNamespace, percentOf, plural, someOf } from '#doctor/compare/words.ts'
import { fateOf } from '#doctor/fate.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type View } from '#doctor/view.ts'
import type { Ip } from '#lib/ip.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket, renderEnd } from '#trace/packet.ts'
import { TraceError, type Traced, traceWorld } from '#trace/trace.ts'
import { machineNamed, podIps, podName, standingOf } from '#trace/world.ts'

export function checkNameServers({ view, only }: Case): readonly Finding[] {
  const { forwards, broken } = forwardsOf(view)
  return [
    ...broken.map(unreadable),
    ...forwards.flatMap((forward) => {
      const askers = askersOf(view, forward)
      return [
        ...loops(view, forward, askers),
        ...empty(forward, askers),
        // Names of Services do not depend on servers outside.
        ...(only === undefined ? unreached(view, forward, askers) : []),
      ]
    }),
  ]
}

/** A pod of the DNS, or nobody in particular, and whom it asks. */
type Asker = {
  readonly pod: Pod | undefined
  readonly targets: readonly Extract<Target, { kind: 'address' }>[]
  /** the file that named some of them */
  readonly file?: ResolvConfOfPod
}

function askersOf(view: View, { pods, targets }: Forward): readonly Asker[] {
  const named = targets.filter((target) => target.kind === 'address')
  if (!targets.some((target) => target.kind === 'file' && target.path.endsWith('resolv.conf')))
    return pods.length === 0 ? [{ pod: undefined, targets: named }] : pods.map((pod) => ({ pod, targets: named }))
  const files = pods.length === 0 ? filesOfNodes(view) : pods.map((pod) => ({ pod, file: resolvConfOf(view, pod) }))
  return files.flatMap(({ pod, file }) => {
    if (file === undefined) return []
    const more = file.servers.map((ip) => ({ kind: 'address', ip, port: 53, protocol: 'udp' }) as const)
    return [{ pod, targets: [...named, ...more], file }]
  })
}

const filesOfNodes = (view: View) =>
  view.nodes.map(({ name }) => ({
    pod: undefined,
    file: resolvConfOf(view, { spec: { nodeName: name, dnsPolicy: 'Default', containers: [] } }),
  }))

const aboutOf = ({ map, zone }: Forward): string => `configmap/${keyOf(map)}${zone === '.' ? '' : `, ${zone}`}`
const namesIn = ({ zone }: Forward): string => (zone === '.' ? 'names outside the cluster' : `names in ${zone}`)
const lineOf = ({ map, where, text }: Forward): string => `configmap ${keyOf(map)}, ${where}: ${text}`
const editOf = ({ map, text }: Forward, note: string): string =>
  `kubectl edit configmap ${inNamespace(keyOf(map))}   # ${text}: ${note}`

const isLoopback = (ip: Ip) => /^127\.|^::1$/.test(ip)

function loops(view: View, forward: Forward, askers: readonly Asker[]): readonly Finding[] {
  const { pods, isNodeLocal, binds, port, endsInLoops } = forward
  const own = new Set(isNodeLocal ? binds : [...binds, ...dnsAddressesOf(view), ...pods.flatMap(podIps)])
  const isOwn = (target: { readonly ip: Ip; readonly port: number }) =>
    own.has(target.ip) || (isLoopback(target.ip) && !isNodeLocal && target.port === port)
  // A kubelet may have handed on another file than the node's, and whoever lives has not met itself.
  const isAlive = endsInLoops && pods.some(isReady)
  const hit = askers.filter(({ targets, file }) => targets.some(isOwn) && !(file?.isKnown === false && isAlive))
  const [first] = hit
  if (first === undefined) return []
  const itself = first.targets.filter(isOwn)
  const share = itself.length / first.targets.length
  return [
    finding({
      code: 'DnsLoop',
      about: aboutOf(forward),
      summary: `the cluster DNS forwards ${namesIn(forward)} to itself: ${someOf(itself.map(({ ip }) => ip))}`,
      evidence: [lineOf(forward), ...filesOf(hit)],
      consequence: `${percentOf(share)} of lookups of ${namesIn(forward)} fail${endsInLoops ? '; a server that notices ends at once, and then no name is answered at all' : ''}`,
      remedy: [
        first.file?.servers.some((ip) => own.has(ip) || isLoopback(ip)) === true
          ? editOf(
              forward,
              'the address of a real server instead; or have the kubelet hand on a file that has one (resolvConf: /run/systemd/resolve/resolv.conf), and restart the DNS',
            )
          : editOf(forward, 'the address of a real server instead'),
      ],
      restsOn: hit.some(({ file }) => file?.isKnown === false) ? ['resolv.conf of the pods of the DNS'] : [],
    }),
  ]
}

const filesOf = (askers: readonly Asker[]): readonly string[] =>
  askers.flatMap(({ file }) =>
    file === undefined
      ? []
      : [`${file.from}: ${file.servers.map((ip) => `nameserver ${ip}`).join(', ') || 'no nameserver'}`],
  )

function empty(forward: Forward, askers: readonly Asker[]): readonly Finding[] {
  const hit = askers.filter(({ targets, file }) => targets.length === 0 && file !== undefined)
  if (hit.length === 0) return []
  return [
    finding({
      code: 'DnsUpstreamMissing',
      about: aboutOf(forward),
      summary: `the cluster DNS has nobody to ask for ${namesIn(forward)}: its resolv.conf names no server`,
      evidence: [lineOf(forward), ...filesOf(hit)],
      consequence: `${percentOf(hit.length / askers.length)} of lookups of ${namesIn(forward)} fail; a server that starts anew does not come up`,
      remedy: [
        editOf(
          forward,
          'the address of a real server instead; or a nameserver in the resolv.conf of the nodes, and restart the DNS',
        ),
      ],
      restsOn: hit.some(({ file }) => file?.isKnown === false) ? ['resolv.conf of the pods of the DNS'] : [],
    }),
  ]
}

const unreadable = ({ map, error, pods }: BrokenCorefile): Finding => {
  const isAlive = pods.some(isReady)
  return finding({
    code: 'CorefileBroken',
    severity: isAlive ? 'warning' : 'error',
    about: `configmap/${keyOf(map)}`,
    summary: `the Corefile of ${keyOf(map)} cannot be read: line ${error.line}: ${error.message}`,
    evidence: [
      `configmap ${keyOf(map)}, line ${error.line}: ${linesOf(map.data?.['Corefile'])[error.line - 1]?.trim() ?? ''}`,
    ],
    consequence: isAlive
      ? 'servers go on with what they read before; none that starts anew comes up'
      : '100% of lookups of pods fail: no server comes up',
    remedy: [`kubectl edit configmap ${inNamespace(keyOf(map))}   # line ${error.line}`],
  })
}

const linesOf = (text = ''): readonly string[] => text.split('\n')

type Lost = { readonly asker: Asker; readonly target: string; readonly way: Traced }

function unreached(view: View, forward: Forward, askers: readonly Asker[]): readonly Finding[] {
  const lost: Lost[] = []
  const deaf = new Set<Asker>()
  for (const asker of askers) {
    const { pod, targets } = asker
    if (pod === undefined || !isReady(pod)) continue
    const failing = targets.flatMap((target) => {
      const way = failingWay(view, pod, target)
      return way === undefined
        ? []
        : [{ asker, target: `${renderEnd(target.ip, target.port)}/${target.protocol}`, way }]
    })
    lost.push(...failing)
    if (failing.length > 0 && failing.length === targets.length) deaf.add(asker)
  }
  const [first] = lost
  if (first === undefined) return []
  const step = decidingStep(first.way.steps)
  const ended = first.way.outcome.kind === 'ended' ? first.way.outcome.machine : first.asker.pod?.spec?.nodeName
  const nodes = [...new Set(lost.map(({ way, asker }) => nodeOf(view, way, asker)))].toSorted()
  const ending = step !== undefined && first.way.outcome.kind === 'ended' ? codeOfEnding(step) : undefined
  const asking = askers.filter(({ pod }) => pod !== undefined && isReady(pod)).length
  return [
    finding({
      code: 'DnsUpstreamFails',
      severity: deaf.size > 0 ? 'error' : 'warning',
      about: aboutOf(forward),
      nodes,
      services: servicesAt(view, lost),
      summary: `questions of the cluster DNS about ${namesIn(forward)} do not reach ${someOf(lost.map(({ target }) => target))}`,
      evidence: [
        lineOf(forward),
        ...filesOf([first.asker]),
        ...(step === undefined ? [] : [renderStep(step)]),
        ...lost
          .slice(0, 3)
          .map(({ asker, target, way }) => `from pod ${podName(asker.pod!)} to ${target}: ${renderWay(way)}`),
      ],
      consequence:
        deaf.size > 0
          ? `${percentOf(deaf.size / asking)} of lookups of ${namesIn(forward)} fail (SERVFAIL, or after seconds)`
          : `lookups of ${namesIn(forward)} take longer whenever one of ${plural(first.asker.targets.length, 'server')} is asked that does not answer`,
      remedy: [
        ...(ending === undefined || ended === undefined ? [] : remedyOfEnding(ending, [ended], [step!])),
        ...(ending === undefined || ['RouteMissing', 'PathBroken'].includes(ending)
          ? [editOf(forward, 'the address of a server that answers')]
          : []),
      ],
    }),
  ]
}

/** A way on which a question ends; undefined where it arrives, or nobody knows. */
function failingWay(view: View, pod: Pod, { ip, port, protocol }: Asker['targets'][number]): Traced | undefined {
  const isSix = ip.includes(':')
  const machine = pod.spec?.hostNetwork === true ? machineNamed(view.world, pod.spec.nodeName) : undefined
  const source = pod.spec?.hostNetwork === true ? '' : podIps(pod).find((own) => own.includes(':') === isSix)
  const from =
    machine === undefined ? source && standingOf(view.world, source) : ({ kind: 'machine', machine } as const)
  if (source === undefined || from === undefined || from === '' || from.kind === 'outside') return undefined
  try {
    const ways = traceWorld(view.world, {
      packet: firstPacket({ protocol, source, destination: ip, destinationPort: port }),
      from,
    })
    const isLost = ways.length > 0 && ways.every((way) => fateOf(view, way) === 'fails')
    return isLost ? ways[0] : undefined
  } catch (error) {
    if (error instanceof TraceError) return undefined
    throw error
  }
}

/** The node on which the question ended. */
function nodeOf({ nodes }: View, { outcome }: Traced, { pod }: Asker): string {
  const at = outcome.kind === 'ended' || outcome.kind === 'left' ? outcome.machine : ''
  return nodes.some(({ name }) => name === at) ? at : (pod?.spec?.nodeName ?? '')
}

/** Services whose addresses are asked. */
function servicesAt({ services = [] }: View, lost: readonly Lost[]): readonly string[] {
  const asked = new Set(lost.flatMap(({ asker }) => asker.targets.map(({ ip }) => ip)))
  return services
    .filter(({ spec }) =>
      [spec?.clusterIP, ...(spec?.clusterIPs ?? [])].some((ip) => ip !== undefined && asked.has(ip)),
    )
    .map(keyOf)
}

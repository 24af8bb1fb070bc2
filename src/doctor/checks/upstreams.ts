// Questions of the cluster's DNS to the servers that it asks about names outside, walked as far as rules and routes are known.

import type { Pod } from '#api/core.ts'
import type { Case } from '#doctor/checks/check.ts'
import { isPodReady } from '#api/pod-state.ts'
import { codeOfEnding, remedyOfEnding } from '#doctor/compare/ending.ts'
import { decidingStep, renderStep } from '#doctor/compare/owner.ts'
import { percentOf, plural, someOf } from '#doctor/compare/words.ts'
import { type Asker, askersOf, type Server } from '#doctor/dns/askers.ts'
import { type Forward, forwardsOf } from '#doctor/dns/forwards.ts'
import { aboutOf, editOf, filesOf, lineOf, namesIn } from '#doctor/dns/words.ts'
import { fateOf } from '#doctor/fate.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket, renderEnd } from '#trace/packet.ts'
import { TraceError, type Traced, traceWorld } from '#trace/trace.ts'
import { machineNamed, podIps, podName, standingOf } from '#trace/world.ts'

/** Names of Services do not depend on servers outside. */
export const checkUpstreams = ({ view, only }: Case): readonly Finding[] =>
  only === undefined ? forwardsOf(view).forwards.flatMap((forward) => unreached(view, forward)) : []

type Lost = { readonly asker: Asker; readonly target: string; readonly way: Traced }

function unreached(view: View, forward: Forward): readonly Finding[] {
  const askers = askersOf(view, forward)
  const lost: Lost[] = []
  const deaf = new Set<Asker>()
  for (const asker of askers) {
    const { pod, servers } = asker
    if (pod === undefined || !isPodReady(pod)) continue
    const failing = servers.flatMap((target) => {
      const way = failingWay(view, pod, target)
      return way === undefined
        ? []
        : [{ asker, target: `${renderEnd(target.ip, target.port)}/${target.protocol}`, way }]
    })
    lost.push(...failing)
    if (failing.length > 0 && failing.length === servers.length) deaf.add(asker)
  }
  const [first] = lost
  if (first === undefined) return []
  const steps = lost.flatMap(({ way }) => (way.outcome.kind === 'ended' ? (decidingStep(way.steps) ?? []) : []))
  const [step] = steps
  const ending = step && codeOfEnding(step)
  const nodes = [...new Set(lost.map(({ way, asker }) => nodeOf(view, way, asker)))].toSorted()
  const asking = askers.filter(({ pod }) => pod !== undefined && isPodReady(pod)).length
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
          : `lookups of ${namesIn(forward)} take longer whenever one of ${plural(first.asker.servers.length, 'server')} is asked that does not answer`,
      // Nobody there, or no way to it: the address is as likely to be wrong as the way.
      remedy:
        ending === undefined || ['RouteMissing', 'PathBroken'].includes(ending)
          ? [editOf(forward, 'the address of a server that answers')]
          : remedyOfEnding(ending, nodes, steps),
    }),
  ]
}

/** A way on which a question ends; undefined where it arrives, or nobody knows. */
function failingWay(view: View, pod: Pod, { ip, port, protocol }: Server): Traced | undefined {
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
  const asked = new Set(lost.flatMap(({ asker }) => asker.servers.map(({ ip }) => ip)))
  return services
    .filter(({ spec }) =>
      [spec?.clusterIP, ...(spec?.clusterIPs ?? [])].some((ip) => ip !== undefined && asked.has(ip)),
    )
    .map(keyOf)
}

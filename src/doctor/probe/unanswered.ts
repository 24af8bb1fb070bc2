// Questions of the cluster's DNS to servers outside that were asked for real, and not answered.

import { percentOf, someOf } from '#doctor/compare/words.ts'
import { aboutOf, editOf, lineOf, namesIn } from '#doctor/dns/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { Probe } from '#doctor/probe/plan.ts'
import { failsOddly, type Probed, renderProbed } from '#doctor/probe/probed.ts'
import { renderEnd } from '#trace/packet.ts'

type Asked = Probed & { readonly probe: Extract<Probe, { kind: 'question' }> }

const isQuestion = (item: Probed): item is Asked => item.probe.kind === 'question'

export const unanswered = (probed: readonly Probed[]): readonly Finding[] =>
  [...Map.groupBy(probed.filter(isQuestion), ({ probe }) => aboutOf(probe.forward)).values()].flatMap(toFinding)

function toFinding(asked: readonly Asked[]): readonly Finding[] {
  const odd = asked.filter(failsOddly)
  const [first] = odd
  if (first === undefined) return []
  const { forward } = first.probe
  const places = [...Map.groupBy(asked, ({ probe }) => probe.from).values()]
  const deaf = places.filter((own) => own.every((item) => odd.includes(item)))
  return [
    finding({
      code: 'DnsUpstreamFails',
      severity: deaf.length > 0 ? 'error' : 'warning',
      about: aboutOf(forward),
      nodes: [...new Set(odd.map(({ probe }) => probe.node))].toSorted(),
      summary: `questions of the cluster DNS about ${namesIn(forward)} are not answered by ${someOf(odd.map(({ probe }) => renderEnd(probe.ip, probe.port)))}`,
      evidence: [lineOf(forward), ...odd.slice(0, 4).map(renderProbed)],
      consequence:
        deaf.length > 0
          ? `${percentOf(deaf.length / places.length)} of lookups of ${namesIn(forward)} fail, after seconds`
          : `lookups of ${namesIn(forward)} take seconds whenever such a server is asked`,
      remedy: [editOf(forward, 'the address of a server that answers')],
      restsOn: ['the network behind the nodes, and the servers themselves'],
    }),
  ]
}

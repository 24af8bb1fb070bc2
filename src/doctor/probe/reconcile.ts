// Real connections against what is known: they confirm findings, contradict them, or fail for a reason that nobody saw.

import type { ChecklistStep } from '#doctor/checklist.ts'
import { factsOf } from '#doctor/codes.ts'
import type { Diagnosis } from '#doctor/diagnose.ts'
import { type Finding, finding, arrange } from '#doctor/finding.ts'
import { inNamespace, percentOf, plural, someOf } from '#doctor/compare/words.ts'
import type { Probe } from '#doctor/probe/plan.ts'
import {
  failsOddly,
  failuresOf,
  hasFailed,
  isNamedWrong,
  type Probed,
  renderProbed,
  shortPlace,
  tolerance,
  worksOddly,
} from '#doctor/probe/probed.ts'
import { unanswered } from '#doctor/probe/unanswered.ts'
import { renderEnd } from '#trace/packet.ts'

export function reconcile(diagnosis: Diagnosis, probed: readonly Probed[], left: number): Diagnosis {
  const odd = probed.filter((item) => failsOddly(item) && item.probe.kind !== 'question')
  const fresh = [
    ...unanswered(probed),
    ...[...Map.groupBy(odd, ({ probe }) => probe.service)].map(([service, list]) => failing(service, list)),
    ...[
      ...Map.groupBy(
        probed.filter((item) => worksOddly(item) && item.probe.kind !== 'question'),
        ({ probe }) => probe.service,
      ),
    ].map(([service, list]) => answering(service, list)),
    ...[...Map.groupBy(probed.filter(isNamedWrong), ({ probe }) => probe.service)].map(([service, list]) =>
      named(service, list),
    ),
  ]
  const foreseen = probed.filter((item) => hasFailed(item) && !failsOddly(item))
  const known = diagnosis.findings.map((item) => ({
    ...item,
    evidence: [
      ...item.evidence,
      ...foreseen
        .filter(({ probe }) => isAbout(item, probe))
        .slice(0, 2)
        .map(renderProbed),
    ],
  }))
  const tries = probed.flatMap((item) => item.tries)
  const failures = probed.flatMap(failuresOf)
  const text = [
    `${plural(tries.length, 'connection')} tried from ${someOf(probed.map(({ probe }) => shortPlace(probe.from)))}`,
    failures.length === 0
      ? 'none failed'
      : `${failures.length} failed, ${foreseen.flatMap(failuresOf).length} of them as the rules say`,
    ...(left > 0 ? [`${plural(left, 'more was', 'more were')} not tried`] : []),
  ].join('; ')
  return {
    ...diagnosis,
    steps: diagnosis.steps.length === 0 ? [] : stepsWith(diagnosis.steps, fresh, text, failures.length > 0),
    findings: fresh.length === 0 ? known : arrange([...known.flatMap(unfold), ...fresh]),
    probes: {
      text,
      tried: probed,
    },
  }
}

/** The checklist with what was tried as its last step. */
function stepsWith(
  steps: readonly ChecklistStep[],
  fresh: readonly Finding[],
  text: string,
  isFailing: boolean,
): readonly ChecklistStep[] {
  const named = fresh.filter(({ code }) => code === 'NameWrong')
  const own = fresh.filter(({ code }) => factsOf(code).stage === 'probe')
  return [
    ...steps.map((step): ChecklistStep =>
      step.stage === 'dns' && named.length > 0
        ? {
            ...step,
            state: 'failed',
            text: named.map(({ summary }) => summary).join('; '),
            findings: [...step.findings, 'NameWrong'],
          }
        : step,
    ),
    {
      stage: 'probe',
      state: isFailing ? 'failed' : own.length > 0 ? 'warned' : 'passed',
      text,
      findings: [...new Set(own.map(({ code }) => code))],
    },
  ]
}

const unfold = (item: Finding): readonly Finding[] => [{ ...item, folded: [] }, ...item.folded]

const isAbout = ({ services, nodes, severity }: Finding, { service, node }: Probe): boolean =>
  severity === 'error' &&
  (services.length === 0 || services.includes(service)) &&
  (nodes.length === 0 || nodes.includes(node))

const about = (service: string, list: readonly Probed[]) => ({
  about: `svc/${service}`,
  services: [service],
  nodes: [...new Set(list.map(({ probe }) => probe.node))].toSorted(),
  evidence: list.slice(0, 4).map(renderProbed),
})

function failing(service: string, list: readonly Probed[]): Finding {
  const failures = list.flatMap(failuresOf).length
  const tries = list.flatMap((item) => item.tries).length
  const from = someOf(list.map(({ probe }) => shortPlace(probe.from)))
  const [{ probe, prediction }] = list as [Probed]
  const isKnown = prediction.unknown < tolerance
  return finding({
    ...about(service, list),
    code: 'ProbeFails',
    summary: `connections from ${from} to ${service} fail, ${isKnown ? 'although everything that was looked at says that they should not' : 'and what was given does not say why'}`,
    consequence: `${percentOf(failures / tries)} of connections from ${from} fail`,
    remedy: [
      `fairway trace --from ${probe.from.replace('pod/default/', 'pod/')} --to ${probe.kind === 'name' ? `${probe.server}:53/udp` : `${renderEnd(probe.ip, probe.port)}/${probe.protocol}`}   # the way that it should take`,
      `kubectl logs ${inNamespace(service).replace(/(\S+)$/, 'svc/$1')} --tail=20   # what its processes say`,
    ],
    restsOn: ['programs of eBPF, firewalls between the nodes, and what a process does with a connection'],
  })
}

const answering = (service: string, list: readonly Probed[]): Finding =>
  finding({
    ...about(service, list),
    code: 'ProbeAnswers',
    summary: `connections to ${service} work from ${someOf(list.map(({ probe }) => shortPlace(probe.from)))}, although the rules that were read say that they cannot`,
    consequence:
      'what is said above of this Service may be out of date, or something that was not looked at answers for it',
    remedy: ['fairway doctor --probe   # once more; eBPF and proxies in user space are not looked at'],
  })

function named(service: string, list: readonly Probed[]): Finding {
  const [{ probe, tries }] = list as [Probed]
  const wanted = probe.kind === 'name' ? probe.wanted.join(', ') : ''
  return finding({
    ...about(service, list),
    code: 'NameWrong',
    summary: `the name of ${service} does not lead to ${wanted}, but to ${tries.map(({ text }) => text)[0]}`,
    consequence: `100% of clients on ${someOf(list.map(({ probe: { node } }) => node))} that ask for it by name come to somebody else, or to nobody`,
    remedy: [
      'kubectl -n kube-system rollout restart deployment -l k8s-app=kube-dns   # servers that do not follow the API any more',
      'kubectl -n kube-system get configmap coredns kube-dns --ignore-not-found -o yaml   # rewrite, template, hosts',
    ],
  })
}

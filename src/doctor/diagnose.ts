// All checks over what is known of a cluster, in the order in which one would look.

import type { ClusterKind } from '#doctor/remedy.ts'
import { compare } from '#doctor/compare/compare.ts'
import { classify } from '#doctor/compare/classify.ts'
import type { Case, Check } from '#doctor/checks/check.ts'
import { checkService } from '#doctor/checks/service.ts'
import { checkNames } from '#doctor/checks/names.ts'
import { checkNameServers } from '#doctor/checks/name-servers.ts'
import { checkNodeDns } from '#doctor/checks/node-dns.ts'
import { checkUpstreams } from '#doctor/checks/upstreams.ts'
import { checkPorts } from '#doctor/checks/ports.ts'
import { checkNodeSettings } from '#doctor/checks/node-settings.ts'
import { checkLeftovers } from '#doctor/checks/leftovers.ts'
import { checkAddresses } from '#doctor/checks/addresses.ts'
import { checkConnections } from '#doctor/checks/connections.ts'
import { checkNetworkPolicies } from '#doctor/checks/network-policy.ts'
import { checkNodePorts } from '#doctor/checks/node-ports.ts'
import { checkRewrittenNames } from '#doctor/checks/rewritten-names.ts'
import { checkSourceRanges } from '#doctor/checks/source-ranges.ts'
import { checkTracking } from '#doctor/checks/tracking.ts'
import { checkTrafficPolicies } from '#doctor/checks/traffic-policy.ts'
import { checkLinks } from '#doctor/checks/links.ts'
import { checkHairpin } from '#doctor/checks/hairpin.ts'
import { checkPaths } from '#doctor/checks/paths.ts'
import { bareNodes, checkProxyRules } from '#doctor/checks/proxy-rules.ts'
import { checkSelector } from '#doctor/checks/selector.ts'
import { checkStaleServices } from '#doctor/checks/stale-service.ts'
import { type Look, stayingDifferences, stayingFindings } from '#doctor/second-look.ts'
import { undecided } from '#doctor/undecided.ts'
import { checklist, type ChecklistStep } from '#doctor/checklist.ts'
import type { Probed } from '#doctor/probe/probed.ts'
import { arrange, type Finding } from '#doctor/finding.ts'
import type { View } from '#doctor/view.ts'

export type Diagnosis = {
  readonly findings: readonly Finding[]
  /** of one Service, where one was asked about */
  readonly steps: readonly ChecklistStep[]
  /** inputs without which something remains open, and what */
  readonly undecided: readonly string[]
  /** whose commands mend it */
  readonly cluster: ClusterKind
  /** real connections that were tried */
  readonly probes?: { readonly text: string; readonly tried: readonly Probed[] }
  /** for a second look to be held against */
  readonly look: Look
}

const checks: readonly Check[] = [
  checkService,
  checkTrafficPolicies,
  checkSourceRanges,
  checkNames,
  checkRewrittenNames,
  checkNameServers,
  checkUpstreams,
  checkNodeDns,
  checkSelector,
  checkPorts,
  checkNodeSettings,
  checkTracking,
  checkProxyRules,
  checkLeftovers,
  checkStaleServices,
  checkAddresses,
  checkNodePorts,
  checkConnections,
  checkNetworkPolicies,
  checkLinks,
  checkPaths,
  checkHairpin,
]

type DiagnoseOptions = {
  /** of one Service, `namespace/name`, and of what it rests on */
  readonly only?: string
  /** an earlier look at the same cluster: what may pass by itself counts only if it was there too */
  readonly before?: Look
}

export function diagnose(view: View, { only, before }: DiagnoseOptions = {}): Diagnosis {
  const seen = compare(view, only)
  const comparison =
    before === undefined ? seen : { ...seen, differences: stayingDifferences(before.differences, seen.differences) }
  const it: Case = { view, comparison, ...(only !== undefined && { only }) }
  const checked = checks.flatMap((check) => check(it))
  const staying = before === undefined ? checked : stayingFindings(before.found, checked)
  const findings = arrange([...staying, ...classify(comparison.differences, bareNodes(it))])
  const steps = only === undefined ? [] : checklist(view, comparison, findings, only)
  return {
    findings,
    steps,
    undecided: undecided(view),
    cluster: clusterKind(view),
    look: { differences: seen.differences, found: checked },
  }
}

/** Our kubelet says so in its version. */
function clusterKind({ nodes, kinds }: View): ClusterKind {
  const isOurs = nodes.some(({ node }) => node?.status?.nodeInfo?.kubeletVersion?.endsWith('-fairway') === true)
  return isOurs ? 'fairway' : kinds.has('Node') ? 'kubernetes' : 'machine'
}

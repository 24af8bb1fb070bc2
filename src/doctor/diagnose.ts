// All checks over what is known of a cluster, in the order in which one would look.

import { compare } from '#doctor/compare/compare.ts'
import { classify } from '#doctor/compare/classify.ts'
import type { Case, Check } from '#doctor/checks/check.ts'
import { checkService } from '#doctor/checks/service.ts'
import { checkNames } from '#doctor/checks/names.ts'
import { checkPorts } from '#doctor/checks/ports.ts'
import { checkNodeSettings } from '#doctor/checks/node-settings.ts'
import { checkLeftovers } from '#doctor/checks/leftovers.ts'
import { checkAddresses } from '#doctor/checks/addresses.ts'
import { checkConnections } from '#doctor/checks/connections.ts'
import { checkNetworkPolicies } from '#doctor/checks/network-policy.ts'
import { checkLinks } from '#doctor/checks/links.ts'
import { checkHairpin } from '#doctor/checks/hairpin.ts'
import { checkPaths } from '#doctor/checks/paths.ts'
import { bareNodes, checkProxyRules } from '#doctor/checks/proxy-rules.ts'
import { checkSelector } from '#doctor/checks/selector.ts'
import { checkStaleServices } from '#doctor/checks/stale-service.ts'
import { checklist, type ChecklistStep } from '#doctor/checklist.ts'
import { arrange, type Finding } from '#doctor/finding.ts'
import type { View } from '#doctor/view.ts'

export type Diagnosis = {
  readonly findings: readonly Finding[]
  /** of one Service, where one was asked about */
  readonly steps: readonly ChecklistStep[]
  /** inputs without which something remains open, and what */
  readonly undecided: readonly string[]
}

const checks: readonly Check[] = [
  checkService,
  checkNames,
  checkSelector,
  checkPorts,
  checkNodeSettings,
  checkProxyRules,
  checkLeftovers,
  checkStaleServices,
  checkAddresses,
  checkConnections,
  checkNetworkPolicies,
  checkLinks,
  checkPaths,
  checkHairpin,
]

/** `only`: of one Service, `namespace/name`, and of what it rests on. */
export function diagnose(view: View, only?: string): Diagnosis {
  const comparison = compare(view, only)
  const it: Case = { view, comparison, ...(only !== undefined && { only }) }
  const findings = arrange([
    ...checks.flatMap((check) => check(it)),
    ...classify(comparison.differences, bareNodes(it)),
  ])
  const steps = only === undefined ? [] : checklist(view, comparison, findings, only)
  return { findings, steps, undecided: undecided(view) }
}

function undecided(view: View): readonly string[] {
  const lacks: string[] = []
  const say = (isMissing: boolean, text: string) => isMissing && lacks.push(text)
  say(
    view.services === undefined,
    'no Services (kubectl get services -A -o json): rules are not compared with anything',
  )
  say(
    view.slices === undefined,
    'no EndpointSlices (kubectl get endpointslices -A -o json): nobody knows whom rules should lead to',
  )
  say(view.pods === undefined, 'no pods (kubectl get pods -A -o json): selectors and readiness are not looked at')
  say(
    view.nodes.length === 0,
    'no state of any node (iptables-save -c, nft -j list ruleset, ip -d -j addr ...): rules and routes are not looked at',
  )
  for (const { name, machine } of view.nodes) {
    const missing = [
      machine.links === undefined ? 'ip -d -j addr' : '',
      machine.routes === undefined ? 'ip -j route show table all' : '',
      machine.sysctls === undefined ? 'sysctl -a' : '',
      machine.connections === undefined ? 'conntrack -L' : '',
    ].filter((word) => word !== '')
    say(missing.length > 0, `${name}: not given: ${missing.join(', ')}`)
  }
  return lacks
}

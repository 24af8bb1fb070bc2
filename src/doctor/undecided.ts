// What a diagnosis cannot say for lack of inputs, or of rights to get them.

import { knowsRules } from '#doctor/compare/compare.ts'
import { someOf } from '#doctor/compare/words.ts'
import type { NodeView, View } from '#doctor/view.ts'

const isLookedAt = (node: NodeView) =>
  knowsRules(node) || node.machine.links !== undefined || node.machine.sysctls !== undefined

/** Inputs without which something remains open, and what. */
export function undecided(view: View): readonly string[] {
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
  say(
    view.slicesFrom !== undefined,
    `no EndpointSlices (kubectl get endpointslices -A -o json): whoever stands behind Services is taken from ${view.slicesFrom}${view.slicesFrom === 'pods' ? ' and selectors; Services without a selector have nobody' : ''}`,
  )
  say(view.pods === undefined, 'no pods (kubectl get pods -A -o json): selectors and readiness are not looked at')
  const known = view.nodes.filter(isLookedAt)
  const unseen = view.nodes.filter((node) => !isLookedAt(node)).map(({ name }) => name)
  say(
    known.length === 0,
    'no state of any node (iptables-save -c, nft -j list ruleset, ip -d -j addr ...): rules and routes are not looked at',
  )
  say(known.length > 0 && unseen.length > 0, `no state of ${someOf(unseen)}: rules and routes there are not looked at`)
  for (const { name, machine } of known) {
    const missing = [
      machine.links === undefined ? 'ip -d -j addr' : '',
      machine.routes === undefined ? 'ip -j route show table all' : '',
      machine.sysctls === undefined ? 'sysctl -a' : '',
      machine.connections === undefined ? 'conntrack -L' : '',
    ].filter((word) => word !== '')
    say(missing.length > 0, `${name}: not given: ${missing.join(', ')}`)
  }
  lacks.push(...rightsMissing(view.gaps))
  const others = view.gaps.filter((gap) => !denial.test(gap))
  lacks.push(...others.slice(0, mostGaps))
  say(others.length > mostGaps, `${others.length - mostGaps} more`)
  return lacks
}

/** More are not listed. */
const mostGaps = 20

/** What an API server says to whoever may not list something. */
const denial = /^\S+: (\S+) is forbidden: User "([^"]+)" cannot list resource/
/** What checks look at; a snapshot holds more. */
const needed = /^(services|endpointslices|endpoints|pods|nodes|namespaces|configmaps|networkpolicies)(\.|$)/

function rightsMissing(gaps: readonly string[]): readonly string[] {
  const denied = gaps.flatMap((gap) => {
    const [, resource = '', user = ''] = denial.exec(gap) ?? []
    return needed.test(resource) ? [{ resource, user }] : []
  })
  const [first] = denied
  if (first === undefined) return []
  const resources = denied.map(({ resource }) => resource).join(',')
  const [, namespace, account] = /^system:serviceaccount:([^:]+):(.+)$/.exec(first.user) ?? []
  const subject = account === undefined ? `--user=${first.user}` : `--serviceaccount=${namespace}:${account}`
  return [
    `${first.user} may not list ${resources.replaceAll(',', ', ')}: kubectl create clusterrole fairway-doctor --verb=list --resource=${resources} && kubectl create clusterrolebinding fairway-doctor --clusterrole=fairway-doctor ${subject}`,
  ]
}

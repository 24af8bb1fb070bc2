// Nodes whose rules are not there, or are there and not asked.

import { restart } from '#doctor/remedy.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { Case } from '#doctor/checks/check.ts'
import { isProxyStep } from '#doctor/compare/owner.ts'
import { plural } from '#doctor/compare/words.ts'
import { knowsRules } from '#doctor/compare/compare.ts'
import type { NodeView } from '#doctor/view.ts'

/** Nodes on which no rule of a proxy leads to any Service; somebody else's may, or may end packets that nobody took up. */
export function bareNodes({ comparison: { differences, asked } }: Case): ReadonlySet<string> {
  const byNode = Map.groupBy(
    differences.filter(({ kind, share, steps }) => {
      const isSomebodys = ['stale', 'dropped', 'refused'].includes(kind) && share > 0.99
      return kind === 'missing' || (isSomebodys && !steps.some(isProxyStep))
    }),
    ({ node }) => node,
  )
  return new Set(
    [...byNode]
      .filter(([node, list]) => list.length === asked.get(node) && list.some(({ kind }) => kind === 'missing'))
      .map(([node]) => node),
  )
}

export function checkProxyRules(it: Case): readonly Finding[] {
  const bare = bareNodes(it)
  return it.view.nodes.filter((node) => bare.has(node.name) && knowsRules(node)).map((node) => missing(it, node))
}

function missing({ comparison }: Case, node: NodeView): Finding {
  const services = comparison.asked.get(node.name) ?? 0
  const consequence = `no pod and no process of ${node.name} reaches any Service, DNS included; node ports there are closed (100% of new connections)`
  const base = { about: `node/${node.name}`, nodes: [node.name], consequence, remedy: restart('proxy', [node.name]) }
  const orphaned = node.machine.iptables.flatMap(({ rules, family }) => {
    const nat = rules.get('nat')
    const chain = nat?.get('KUBE-SERVICES')
    const isReached = ['PREROUTING', 'OUTPUT'].some((hook) =>
      nat?.get(hook)?.rules.some(({ target }) => target?.kind === 'jump' && target.chain === 'KUBE-SERVICES'),
    )
    return chain === undefined || chain.rules.length === 0 || isReached
      ? []
      : [
          `${family === 4 ? 'iptables' : 'ip6tables'}: nat KUBE-SERVICES has ${plural(chain.rules.length, 'rule')} (${chain.file})`,
        ]
  })
  if (orphaned.length > 0)
    return finding({
      ...base,
      code: 'JumpMissing',
      summary: `${node.name}: KUBE-SERVICES is there, but nothing jumps to it: something has flushed the chains above`,
      evidence: [...orphaned, 'no "-j KUBE-SERVICES" in nat PREROUTING and OUTPUT'],
    })
  return finding({
    ...base,
    code: 'ProxyMissing',
    summary: `${node.name} has no rules for Services at all`,
    evidence: [
      `${plural(services, 'address', 'addresses')} of Services asked, none leads anywhere`,
      'no rule changes a destination',
    ],
  })
}

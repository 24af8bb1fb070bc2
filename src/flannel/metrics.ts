// What flannel counts.

import type { Registry } from '#daemon/metrics.ts'
import type { FamilyPlan, Problem } from '#flannel/backend.ts'

const codes: readonly Problem['code'][] = ['NotOnLink', 'Overlap', 'OutsideNetwork', 'OtherBackend', 'BadData']
const bounds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

export function createFlannelMetrics(registry: Registry) {
  const peers = registry.gauge('flannel_peers', 'Nodes whose pods are reached, by address family.', ['family'])
  const problems = registry.gauge('flannel_problem_peers', 'Nodes whose pods are not reached, by reason.', ['reason'])
  const steps = registry.counter('flannel_network_changes_total', 'Links, routes, neighbours and entries changed.')
  const repairs = registry.counter('flannel_repairs_total', 'What others had taken away and was set again.', ['what'])
  const seconds = registry.histogram('flannel_sync_seconds', 'Time from looking at the kernel to its state.', bounds)
  const written = registry.counter('flannel_rules_written_total', 'Chains or tables of rules written.', ['name'])
  for (const what of ['network', 'rules']) repairs.add(0, what)
  return {
    planned(plans: readonly FamilyPlan[]) {
      for (const { family, routes, tunnel } of plans)
        peers.set(tunnel === undefined ? routes.length : tunnel.peers.length, `IPv${family}`)
      for (const code of codes)
        problems.set(plans.flatMap((plan) => plan.problems).filter((one) => one.code === code).length, code)
    },
    applied(count: number, repaired: number, duration: number) {
      steps.add(count)
      if (repaired > 0) repairs.add(repaired, 'network')
      seconds.observe(duration)
    },
    rulesWritten(names: readonly string[], isRepair: boolean) {
      for (const name of names) written.add(1, name)
      if (isRepair) repairs.add(names.length, 'rules')
    },
  }
}
export type FlannelMetrics = ReturnType<typeof createFlannelMetrics>

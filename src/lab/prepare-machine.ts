// effect: installs packages, loads kernel modules
import { checkFeatures, checkPackages, checkRoutes, programsOf } from '#lab/machine.ts'
import { installPackages, loadModules, observeMachine } from '#lab/observe-machine.ts'
import type { ClusterPlan } from '#lab/plan.ts'
import type { Progress } from '#lab/progress.ts'

/** What may be done to this machine so that it can carry a cluster. */
export type Permission = { readonly install: boolean; readonly loadModules: boolean }

/** Throws a UserError with the remedy where this machine cannot carry the cluster. */
export async function prepareMachine(
  plan: ClusterPlan,
  { install, loadModules: mayLoad }: Permission,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const machine = observeMachine(programsOf(plan.options))
  checkRoutes(machine, plan.options, plan.uplink.link)
  const packages = checkPackages(machine, install)
  if (packages.length > 0) {
    progress.say(`installing ${packages.join(', ')} (--no-install refuses)`)
    await progress.step('packages installed', () => installPackages(packages, signal))
  }
  const modules = checkFeatures(machine, plan.options.proxyMode, mayLoad)
  if (modules.length > 0) await progress.step('kernel modules loaded', () => loadModules(modules, signal))
}

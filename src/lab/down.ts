// effect: removes a cluster
import { rmdirSync, rmSync } from 'node:fs'
import { removeFabric } from '#lab/fabric.ts'
import { type ClusterPlan, defaultRoots } from '#lab/plan.ts'
import { endProcesses } from '#lab/processes.ts'
import type { Progress } from '#lab/progress.ts'

/** Removes everything of a cluster, also what is only half there: processes, namespaces, links, mounts, files. */
export async function down(plan: ClusterPlan, progress: Progress): Promise<void> {
  await progress.step('processes ended', () => endProcesses(plan, 2000))
  await progress.step('network removed', () => removeFabric(plan))
  await progress.step('files removed', () => {
    rmSync(plan.paths.state, { recursive: true, force: true })
    try {
      rmdirSync(defaultRoots.state)
    } catch {
      // Other clusters live there.
    }
  })
}

// effect: removes a cluster
import { rmSync } from 'node:fs'
import { removeFabric } from '#lab/fabric.ts'
import { planPaths } from '#lab/plan.ts'
import { endProcesses } from '#lab/processes.ts'
import type { Progress } from '#lab/progress.ts'

/** Removes everything of a cluster, also what is only half there: processes, namespaces, links, mounts, files. */
export async function down(name: string, progress: Progress): Promise<void> {
  const paths = planPaths(name)
  await progress.step('processes ended', () => endProcesses(paths, 2000))
  await progress.step('network removed', () => removeFabric(name, paths))
  await progress.step('files removed', () => rmSync(paths.state, { recursive: true, force: true }))
}

// effect: ends the processes of a cluster
// Stops a cluster as one shuts computers down: whoever runs is asked to end, then everything goes that lives in memory.
// What is on disk stays: objects, keys, addresses, pods' volumes and logs. `start` goes on from there.
import { removeFabric } from '#lab/fabric.ts'
import { endWorkloads, killInhabitants } from '#lab/inhabitants.ts'
import { planPaths } from '#lab/plan.ts'
import { endProcess, runningProcesses } from '#lab/processes.ts'
import type { Progress } from '#lab/progress.ts'

/** `graceMs`: how long containers may take to end. */
export async function stop(name: string, graceMs: number, progress: Progress): Promise<void> {
  const paths = planPaths(name)
  // The agents first: they would start again what ends. The control plane last, so that they can tell it what they saw.
  const running = [...runningProcesses(paths).keys()]
  const nodes = running.filter((process) => process !== 'control-plane')
  await progress.step('node processes ended', () =>
    Promise.all(nodes.map((node) => endProcess(paths, node, processGraceMs))),
  )
  await progress.step('containers ended', () => endWorkloads(paths, [...runningProcesses(paths).values()], graceMs))
  await progress.step('control plane ended', () => endProcess(paths, 'control-plane', processGraceMs))
  await killInhabitants(paths)
  await progress.step('network removed', () => removeFabric(name, paths))
}
const processGraceMs = 3000

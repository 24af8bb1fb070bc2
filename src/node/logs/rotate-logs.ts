// effect: log files of containers
// Keeps containers' logs from filling the disk, as kubelet does: a log of more than 10 MiB is moved aside and goes on in
// a new file; of each, five files are kept.
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Runtime } from '#node/runtime.ts'

const mostBytes = 10 * 1024 * 1024
const mostFiles = 5

/** Looks at the log of every container that runs; answers the paths that it moved aside. */
export async function rotateLogs(runtime: Runtime, nowMs: number, limit = mostBytes): Promise<readonly string[]> {
  const moved: string[] = []
  for (const { id, state, logPath } of runtime.listContainers()) {
    if (state !== 'running') continue
    if ((statSync(logPath, { throwIfNoEntry: false })?.size ?? 0) <= limit) continue
    const aside = `${logPath}.${formatStamp(nowMs)}`
    renameSync(logPath, aside)
    await runtime.reopenContainerLog(id)
    moved.push(aside)
    for (const old of rotatedOf(logPath).slice(mostFiles - 1)) rmSync(old, { force: true })
  }
  return moved
}

/** The newest first. */
const rotatedOf = (logPath: string): readonly string[] =>
  readdirSync(dirname(logPath))
    .filter((name) => name.startsWith(`${basename(logPath)}.`))
    .toSorted()
    .toReversed()
    .map((name) => join(dirname(logPath), name))

/** As kubelet names them: 20261121-031502, with milliseconds, so that two in one second stay two. */
const formatStamp = (ms: number) => new Date(ms).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 19)

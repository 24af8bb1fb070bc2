// effect: processes in the cluster's namespaces
// Who lives in a cluster: found by looking at every process of the machine, so that nobody is missed whose parent was
// killed. Processes are named by number and start time: no stranger is hit.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mounts } from '#kernel/mount.ts'
import { withNamespaces } from '#kernel/netns.ts'
import { identify, type ProcessIdentity, signalProcess, whenExited } from '#kernel/process.ts'
import type { Paths } from '#lab/plan.ts'

/** Kills whatever lives in the namespaces of the cluster, or of one host of it. */
export async function killInhabitants(paths: Paths, host?: string): Promise<void> {
  // What has just forked is found in the next round.
  for (;;) {
    const left = inhabitants(paths, host)
    if (left.length === 0) return
    for (const identity of left) signalProcess(identity, 'SIGKILL')
    await Promise.all(left.map(whenExited))
  }
}

/**
 * Asks all processes of containers to end, and waits so long for it. The monitors of containers are not asked: they end by
 * themselves, once they have noted how these ended.
 */
export async function endWorkloads(
  paths: Paths,
  own: readonly ProcessIdentity[],
  graceMs: number,
  host?: string,
): Promise<void> {
  const pids = new Set(own.map(({ pid }) => pid))
  const others = inhabitants(paths, host).filter(({ pid }) => !pids.has(pid))
  for (const identity of others) if (programOf(identity.pid) !== 'conmon') signalProcess(identity, 'SIGTERM')
  await withinMs(graceMs, Promise.all(others.map(whenExited)))
}

/** The name of the program that a process runs; '' where it is gone. */
export const programOf = (pid: number): string => wordsOf(pid)[0]?.split('/').at(-1) ?? ''

export function wordsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** Every process in a network or mount namespace of the cluster (or of one host of it), pods included. */
export function inhabitants(paths: Paths, host?: string): readonly ProcessIdentity[] {
  const namespaces = namespacesOf(paths, host)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => namespaces.has(namespaceOf(name, 'net')) || namespaces.has(namespaceOf(name, 'mnt')))
    .flatMap((name) => identify(Number(name)) ?? [])
}

/** `net:[4026532008]`, `mnt:[...]` of all that is pinned below the cluster's folder, or by a node in its own mounts. */
function namespacesOf({ runtime }: Paths, host?: string): ReadonlySet<string> {
  const all = mounts().filter(({ type }) => type === 'nsfs')
  const foreign = new Set(all.map(({ root }) => root))
  const pinned = all.filter(({ target }) =>
    host === undefined ? target.startsWith(`${runtime}/`) : target.startsWith(`${runtime}/namespaces/${host}.`),
  )
  const found = new Set(pinned.map(({ root }) => root))
  for (const { root, target } of pinned) {
    if (!root.startsWith('mnt:')) continue
    // A node's mounts began as a copy of ours: what is pinned here too is not the node's.
    for (const inner of withNamespaces({ mount: target }, mounts))
      if (inner.type === 'nsfs' && !foreign.has(inner.root)) found.add(inner.root)
  }
  return found
}

function namespaceOf(pid: string, kind: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`)
  } catch {
    return ''
  }
}

/** Waits for something, but no longer than that. */
export const withinMs = (limitMs: number, done: Promise<unknown>): Promise<unknown> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  return Promise.race([done, promise]).finally(() => clearTimeout(timer))
}

// effect: what pods leave on a machine
// Everything that a pod may leave behind, counted, so that tests can say: nothing.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mounts } from '#kernel/mount.ts'
import { openRoute } from '#kernel/route/open-route.ts'

export type Traces = {
  readonly links: number
  readonly pins: number
  readonly mounts: number
  readonly crun: number
  readonly processes: number
  readonly leases: number
}

export const noTraces: Traces = { links: 0, pins: 0, mounts: 0, crun: 0, processes: 0, leases: 0 }

/** `runtimeFolder`: the runtime's state folder; `runFolder`: its folder on a tmpfs. */
export function observeTraces(runtimeFolder: string, runFolder: string): Traces {
  using route = openRoute()
  const leases = join(runtimeFolder, 'leases')
  return {
    links: route.links().filter(({ name }) => name.startsWith('veth')).length,
    pins: names('/run/netns').filter((name) => name.startsWith('cni-')).length,
    mounts: mounts().filter(({ target }) => target.startsWith(`${runFolder}/`)).length,
    crun: names(`${runFolder}/crun`).length,
    processes: names('/proc').filter((pid) => /^\d+$/.test(pid) && isConmonBelow(pid, runtimeFolder)).length,
    leases: names(leases).flatMap((net) => names(join(leases, net)).filter((name) => /^[0-9a-f]+[.:]/.test(name)))
      .length,
  }
}

const names = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])

function isConmonBelow(pid: string, folder: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return words[0]!.endsWith('conmon') && words.some((word) => word.startsWith(`${folder}/`))
  } catch {
    return false
  }
}

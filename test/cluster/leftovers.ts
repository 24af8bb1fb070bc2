// What a machine has that a cluster could leave behind.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { openRoute } from '#kernel/route/open-route.ts'
import { mounts } from '#kernel/mount.ts'

/** A picture of the machine, to be compared before and after. */
export function machineState(name: string) {
  using own = openRoute()
  return {
    links: own.links().map((link) => link.name),
    routes: own.routes({ family: 4 }).map(({ destination }) => destination),
    mounts: mounts()
      .map(({ target }) => target)
      .sort(),
    netnsNames: list('/run/netns').filter((file) => file.startsWith(name)),
    files: ['/run/fairway', '/var/lib/fairway'].filter((root) => existsSync(`${root}/${name}`)),
    processes: processesOf(name),
  }
}

/** Processes that belong to a cluster of this name, or that live in a network namespace nobody else is in. */
function processesOf(name: string): readonly string[] {
  return list('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes(`/${name}/`))
    .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
}

/** Network namespaces that processes live in, each once. */
export const livingNetns = (): readonly string[] =>
  [...new Set(list('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? link(`/proc/${pid}/ns/net`) : [])))].sort()

function list(path: string): readonly string[] {
  return existsSync(path) ? readdirSync(path) : []
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function link(path: string): readonly string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    return []
  }
}

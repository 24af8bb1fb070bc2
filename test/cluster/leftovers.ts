// What a machine has that a cluster could leave behind.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { openRoute } from '#kernel/route/open-route.ts'
import { mounts } from '#kernel/mount.ts'

/** A picture of the machine, to be compared before and after. */
export function machineState(name: string) {
  using own = openRoute()
  return {
    links: own.links().map((link) => link.name),
    addresses: own.addresses().map(({ ip, prefix }) => `${ip}/${prefix}`),
    loops: list('/sys/block')
      .map((device) => read(`/sys/block/${device}/loop/backing_file`))
      .filter((file) => file.includes(`/${name}/`)),
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

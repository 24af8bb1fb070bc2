// effect: /proc/sys
// Kernel parameters by their path below /proc/sys (`net/ipv4/ip_forward`). Synchronous, because the answer under net/
// depends on the network namespace of the calling thread.
import { readFileSync, writeFileSync } from 'node:fs'
import { withNetns } from '#kernel/netns.ts'

/** The value without its newline; undefined where this kernel has no such parameter. */
export function readSysctl(name: string, netns?: string): string | undefined {
  return withNetns(netns, () => {
    try {
      return readFileSync(`/proc/sys/${name}`, 'utf8').trim()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  })
}

/** Sets parameters; answers the names that this kernel does not have. Any other failure throws. */
export function writeSysctls(values: Readonly<Record<string, string | number>>, netns?: string): readonly string[] {
  return withNetns(netns, () => {
    const missing: string[] = []
    for (const [name, value] of Object.entries(values)) {
      try {
        // No `w` flag: creating and truncating mean nothing here, and a missing parameter must stay missing.
        writeFileSync(`/proc/sys/${name}`, `${value}\n`, { flag: 'r+' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        missing.push(name)
      }
    }
    return missing
  })
}

// effect: /proc of other processes
// resolv.conf as the processes of each network namespace see it: a node's, and what its pods were given.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

/** By the inode of the network namespace. Of several processes in one, the first that has the file speaks. */
export function collectResolvConfs(): ReadonlyMap<number, string> {
  const found = new Map<number, string>()
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const inode = Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0])
      if (!found.has(inode)) found.set(inode, readFileSync(`/proc/${pid}/root/etc/resolv.conf`, 'utf8'))
    } catch {
      // a process that has ended, or one without such a file
    }
  }
  return found
}

/** Of the namespace at a path; undefined where no process lives in it. */
export const resolvConfAt = (confs: ReadonlyMap<number, string>, netns: string): string | undefined =>
  confs.get(statSync(netns).ino)

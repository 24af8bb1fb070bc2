// effect: mounts
import { readFileSync } from 'node:fs'
import { mount, umount2 } from '#kernel/ffi.ts'
import { type Mount, parseMountinfo } from '#kernel/mountinfo.ts'

/** linux/mount.h */
export const MS = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const
export const MNT = { force: 1, detach: 2 } as const

export const mountTmpfs = (target: string, options = 'mode=0755'): void =>
  mount('tmpfs', target, 'tmpfs', MS.noSuid | MS.noDev, options)

/** The network part of sysfs is that of the network namespace in which this is called. */
export const mountSysfs = (target: string): void =>
  mount('sysfs', target, 'sysfs', MS.noSuid | MS.noDev | MS.noExec, null)

/** Shows `source` (file or folder) at `target`, with the mounts below it. */
export function mountBind(source: string, target: string, options: { readonly readOnly?: boolean } = {}): void {
  mount(source, target, null, MS.bind | MS.recursive, null)
  if (options.readOnly) mount('none', target, null, MS.bind | MS.remount | MS.readOnly, null)
}

export const mountOverlay = (
  target: string,
  { lower, upper, work }: { readonly lower: readonly string[]; readonly upper: string; readonly work: string },
): void => mount('overlay', target, 'overlay', 0, `lowerdir=${lower.join(':')},upperdir=${upper},workdir=${work}`)

export const makePrivate = (target: string): void => mount('none', target, null, MS.private, null)

/** Takes a mount away at once, with everything below it; what still uses it keeps it until it lets go. False: none was. */
export function unmount(target: string): boolean {
  try {
    umount2(target, MNT.detach)
    return true
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EINVAL' || code === 'ENOENT') return false
    throw error
  }
}

/** The mounts that the calling thread sees, in the order in which they were made. */
export const mounts = (): readonly Mount[] => parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8'))

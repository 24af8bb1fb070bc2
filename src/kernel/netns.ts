// effect: namespaces
// Namespaces that outlive their makers: each is pinned by a bind mount of its /proc/.../ns file, as `ip netns` does it.
// All calls are synchronous and move only the calling thread, so they may be used from the main thread while timers and
// sockets of the process go on undisturbed. libuv's pool threads stay where they were: inside `within`, use only
// synchronous file system calls.
import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { CLONE, mount, setns, umount2, unshare } from '#kernel/ffi.ts'
import { MNT, MS } from '#kernel/mount.ts'

/** Paths of pinned namespaces, by kind. */
export type Namespaces = { readonly net?: string; readonly mount?: string; readonly uts?: string }
type Kind = keyof Namespaces

// Order of entering: the mount namespace last, so that the other paths are found first.
const kinds: readonly { readonly kind: Kind; readonly file: string; readonly flag: number }[] = [
  { kind: 'net', file: 'net', flag: CLONE.newNet },
  { kind: 'uts', file: 'uts', flag: CLONE.newUts },
  { kind: 'mount', file: 'mnt', flag: CLONE.newNs },
]

/** Makes a network namespace and pins it at `path` (its folder is made where missing). */
export const createNetns = (path: string): void => createNamespaces({ net: path }, () => undefined)

/** Takes the pin away; the namespace ends with its last process and socket. False where none was. */
export const deleteNetns = (path: string): boolean => unpin(path)

/** Runs `inside` in the network namespace at `path`; undefined means here. */
export const withNetns = <T>(path: string | undefined, inside: () => T): T =>
  path === undefined ? inside() : withNamespaces({ net: path }, inside)

/**
 * Makes new namespaces of the kinds named, runs `inside` in them, and pins each at its path. Mounts of a new mount
 * namespace are private to it. A mount namespace can be pinned only on a mount that is itself private.
 */
export function createNamespaces(paths: Namespaces, inside: () => void): void {
  const wanted = kinds.filter(({ kind }) => paths[kind] !== undefined)
  const pins: { readonly fd: number; readonly path: string }[] = []
  try {
    stayingHome(wanted, () => {
      unshare(wanted.reduce((flags, { flag }) => flags | flag, 0))
      if (paths.mount !== undefined) mount('none', '/', null, MS.recursive | MS.private, null)
      inside()
      for (const { kind, file } of wanted)
        pins.push({ fd: openSync(`/proc/thread-self/ns/${file}`, 'r'), path: paths[kind]! })
    })
    for (const { fd, path } of pins) pin(`/proc/thread-self/fd/${fd}`, path)
  } finally {
    for (const { fd } of pins) closeSync(fd)
  }
}

/** Runs `inside` in the pinned namespaces and comes back, also where it throws. */
export function withNamespaces<T>(paths: Namespaces, inside: () => T): T {
  const wanted = kinds.filter(({ kind }) => paths[kind] !== undefined)
  const targets: { readonly fd: number; readonly flag: number }[] = []
  try {
    for (const { kind, flag } of wanted) targets.push({ fd: openSync(paths[kind]!, 'r'), flag })
    return stayingHome(wanted, () => {
      for (const { fd, flag } of targets) enter(fd, flag)
      return inside()
    })
  } finally {
    for (const { fd } of targets) closeSync(fd)
  }
}

/** Says which namespace a path (pin or /proc/PID/ns/net) stands for: equal texts, same namespace. */
export function namespaceIdentity(path: string): string {
  const { dev, ino } = statSync(path)
  return `${dev}:${ino}`
}

/** Pins what `source` stands for at `path`. */
function pin(source: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  closeSync(openSync(path, 'wx', 0o444))
  try {
    mount(source, path, null, MS.bind, null)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
}

/** Removing the file also ends the copies of the mount that other mount namespaces inherited. */
export function unpin(path: string): boolean {
  try {
    umount2(path, MNT.detach)
  } catch (error) {
    const { code } = error as { code?: string }
    if (code !== 'EINVAL' && code !== 'ENOENT') throw error
    if (code === 'ENOENT') return false
  }
  rmSync(path, { force: true })
  return true
}

function stayingHome<T>(wanted: readonly { readonly file: string; readonly flag: number }[], away: () => T): T {
  const cwd = process.cwd()
  const home = wanted.map(({ file, flag }) => ({ fd: openSync(`/proc/thread-self/ns/${file}`, 'r'), flag }))
  try {
    return away()
  } finally {
    // Failing to come back leaves the thread in a wrong world: nothing sensible can follow, so it throws.
    for (const { fd, flag } of home.toReversed()) {
      enter(fd, flag)
      closeSync(fd)
    }
    if (wanted.some(({ flag }) => flag === CLONE.newNs)) process.chdir(cwd)
  }
}

function enter(fd: number, flag: number): void {
  // A thread may change its mount namespace only while it shares its root and working directory with nobody.
  if (flag === CLONE.newNs) unshare(CLONE_FS)
  setns(fd, flag)
}

const CLONE_FS = 0x200

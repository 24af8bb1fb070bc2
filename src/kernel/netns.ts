// effect: namespaces
// Namespaces that outlive their makers: each is pinned by a bind mount of its /proc/.../ns file, as `ip netns` does it.
// All calls are synchronous and move only the calling thread, so they may be used from the main thread while timers and
// sockets of the process go on undisturbed. libuv's pool threads stay where they were: inside `within`, use only
// synchronous file system calls.
import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { CLONE, mount, processors, setns, SystemError, umount2, unshare, useProcessors } from '#kernel/ffi.ts'
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
 * Makes new namespaces of the kinds named, pins each at its path, and runs `inside` in them. Mounts of a new mount
 * namespace are private to it. A mount namespace can be pinned only on a mount that is itself private. Where `inside`
 * throws, nothing stays.
 */
export function createNamespaces(paths: Namespaces, inside: () => void): void {
  const made: string[] = []
  try {
    for (const { kind, file, flag } of kinds) {
      const path = paths[kind]
      if (path === undefined) continue
      if (kind === 'mount') onSomeProcessor(() => createPinned(file, flag, path))
      else createPinned(file, flag, path)
      made.push(path)
    }
    withNamespaces(paths, () => {
      if (paths.mount !== undefined) mount('none', '/', null, MS.recursive | MS.private, null)
      inside()
    })
  } catch (error) {
    for (const path of made) unpin(path)
    throw error
  }
}

function createPinned(file: string, flag: number, path: string): void {
  const fd = stayingHome([{ file, flag }], () => {
    unshare(flag)
    return openSync(`/proc/thread-self/ns/${file}`, 'r')
  })
  try {
    pin(`/proc/thread-self/fd/${fd}`, path)
  } finally {
    closeSync(fd)
  }
}

/**
 * The kernel lets a mount namespace be pinned only in an older one, and tells age by a number. Since 6.18 each processor
 * draws these numbers from a stock of its own, so that a new namespace may look older than ours and is refused with
 * EINVAL. On the processor that numbered ours every new number is higher, so one of them always works.
 */
function onSomeProcessor(make: () => void): void {
  const allowed = processors()
  try {
    for (let processor = -1; ; processor++) {
      if (processor >= 0) {
        if (processor >= allowed.length * 8) throw new Error('no processor lets a mount namespace be pinned')
        if (((allowed[processor >> 3]! >> (processor & 7)) & 1) === 0) continue
        useProcessors(allowed.map((_, i) => (i === processor >> 3 ? 1 << (processor & 7) : 0)))
      }
      try {
        make()
        return
      } catch (error) {
        if (!(error instanceof SystemError) || error.code !== 'EINVAL') throw error
      }
    }
  } finally {
    useProcessors(allowed)
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

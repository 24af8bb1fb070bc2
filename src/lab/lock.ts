// effect: lock files
// One command at a time changes a cluster, and one at a time chooses the network of a new one. The kernel holds the locks: a
// command that is killed leaves none behind.
import { closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync } from 'node:fs'
import { readFileSync, rmdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { UserError } from '#daemon/error.ts'
import { lockFile } from '#kernel/ffi.ts'
import { defaultRoots } from '#lab/plan.ts'

/** Held until disposed, or until this process is gone. Throws a UserError where another one holds it. */
export function lockCluster(name: string): Disposable {
  const path = `${defaultRoots.state}/.${name}.lock`
  const lock = takeLock(path, false)
  if (lock !== undefined) return lock
  const holder = readFileSync(path, 'utf8').trim()
  throw new UserError(
    `another fairway command is at work on the cluster "${name}"${holder === '' ? '' : ` (process ${holder})`}`,
    { code: 'Locked', remedy: 'wait for it, or end it' },
  )
}

/** While a network is chosen and written down, which takes a moment: waits for others who do so. */
export const lockNetworks = (): Disposable => takeLock(`${defaultRoots.state}/.networks.lock`, true)!

/** Undefined where another process has it. */
function takeLock(path: string, wait: boolean): Disposable | undefined {
  for (;;) {
    mkdirSync(defaultRoots.state, { recursive: true })
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644)
    const isOurs = lockFile(file, { wait })
    // Its holder may have removed it after we opened it: a lock of that file keeps nobody away.
    if (isOurs && statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(file).ino) {
      ftruncateSync(file)
      writeSync(file, `${process.pid}\n`, 0)
      return { [Symbol.dispose]: () => unlock(path, file) }
    }
    closeSync(file)
    if (!isOurs) return undefined
  }
}

function unlock(path: string, file: number): void {
  rmSync(path, { force: true })
  closeSync(file)
  try {
    rmdirSync(defaultRoots.state)
  } catch {
    // Clusters live there.
  }
}

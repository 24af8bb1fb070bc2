// effect: lock files
// One command at a time changes a cluster.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { identify, isAlive, type ProcessIdentity } from '#kernel/process.ts'
import { defaultRoots } from '#lab/plan.ts'

/** Held until disposed, or until this process is gone. Throws a UserError where another one holds it. */
export function lockCluster(name: string): Disposable {
  const path = `${defaultRoots.state}/.${name}.lock`
  mkdirSync(dirname(path), { recursive: true })
  for (;;) {
    try {
      writeFileSync(path, JSON.stringify(identify(process.pid)), { flag: 'wx' })
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(path)
    if (holder && isAlive(holder))
      throw new UserError(`another fairway command is at work on the cluster "${name}" (process ${holder.pid})`, {
        code: 'Locked',
        remedy: 'wait for it, or end it',
      })
    rmSync(path, { force: true })
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
  } catch {
    return undefined
  }
}

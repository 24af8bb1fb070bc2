// effect: mounts, by mount.nfs
// Network file systems are mounted by their own program, which speaks with the server about versions and ports.
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { mounts } from '#kernel/mount.ts'

export type NfsMount = {
  readonly server: string
  readonly path: string
  readonly readOnly: boolean
  readonly options: readonly string[]
}

const limitMs = 60_000
const run = promisify(execFile)

/** Mounts it where it is not mounted yet; throws with the program's own words. */
export async function mountNfs(target: string, { server, path, readOnly, options }: NfsMount): Promise<void> {
  if (mounts().some((mount) => mount.target === target)) return
  mkdirSync(target, { recursive: true })
  const source = `${server.includes(':') ? `[${server}]` : server}:${path}`
  const words = [source, target, '-o', [...options, readOnly ? 'ro' : 'rw'].join()]
  try {
    await run('mount.nfs', words, { timeout: limitMs })
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT')
      throw new Error('mount.nfs is not installed on this node: apt-get install -y nfs-common', { cause: error })
    throw new Error(`mount failed: ${stderr.trim() || String((error as Error).message)}`, { cause: error })
  }
}

// What a test needs of the machine. A test that cannot run here says why, and is skipped; CI has everything.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export type Need = {
  readonly root?: boolean
  /** programs that must be on the PATH */
  readonly programs?: readonly string[]
  /** files or devices that must exist */
  readonly files?: readonly string[]
}

/** For `test(name, { skip: need({ root: true }) }, ...)`: false where all is there, else what is missing. */
export function need({ root = false, programs = [], files = [] }: Need): string | false {
  if (process.platform !== 'linux') return 'needs Linux'
  if (root && process.getuid?.() !== 0) return 'needs root'
  const program = programs.find((name) => !isOnPath(name))
  if (program !== undefined) return `needs the program ${program}`
  const file = files.find((path) => !isReadable(path))
  return file === undefined ? false : `needs ${file}`
}

const isOnPath = (name: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => isReadable(join(folder, name), constants.X_OK))

function isReadable(path: string, mode = constants.F_OK): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

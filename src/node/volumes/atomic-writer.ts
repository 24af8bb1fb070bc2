// effect: files of a volume
// Puts a payload into a directory in one step, so that a reader sees the old files or the new ones and never a mixture:
// the files lie in a directory named after the time, `..data` is a symbolic link to it, and each first path element of
// the payload is a link through `..data`. A change makes a new directory and renames a new `..data` over the old one.
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { equalBytes } from '#lib/bytes.ts'
import type { Payload } from '#node/volumes/payload.ts'

const dataLink = '..data'

/** Makes `directory` hold exactly `payload`. Answers whether anything changed. `group` owns the files where given. */
export function writePayload(directory: string, payload: Payload, nowMs: number, group?: number): boolean {
  const old = readLink(join(directory, dataLink))
  if (old !== undefined && holds(join(directory, old), payload) && linksStand(directory, payload)) {
    removeStale(directory, old)
    return false
  }
  mkdirSync(directory, { recursive: true })
  const fresh = writeFiles(directory, payload, nowMs, group)
  const temporary = join(directory, '..data_tmp')
  rmSync(temporary, { force: true })
  symlinkSync(fresh, temporary)
  renameSync(temporary, join(directory, dataLink))
  linkNames(directory, payload)
  removeStale(directory, fresh)
  return true
}

/** The first element of each path is what a user sees in the volume. */
const namesOf = (payload: Payload) => new Set([...payload.keys()].map((path) => path.split('/')[0]!))

function writeFiles(directory: string, payload: Payload, nowMs: number, group: number | undefined): string {
  const stamp = new Date(nowMs).toISOString().replaceAll('-', '_').replaceAll(':', '_').replace('T', '_').slice(0, 19)
  const full = mkdtempSync(join(directory, `..${stamp}.`))
  chmodSync(full, 0o755)
  for (const [path, { data, mode }] of payload) {
    const file = join(full, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(file, data)
    chmodSync(file, group === undefined ? mode : mode | ((mode & 0o400) >> 3))
    if (group !== undefined) chownSync(file, 0, group)
  }
  return full.slice(directory.length + 1)
}

function linkNames(directory: string, payload: Payload): void {
  const names = namesOf(payload)
  for (const name of names) {
    const target = join(dataLink, name)
    if (readLink(join(directory, name)) === target) continue
    rmSync(join(directory, name), { force: true, recursive: true })
    symlinkSync(target, join(directory, name))
  }
  for (const name of readdirSync(directory))
    if (!name.startsWith('..') && !names.has(name)) rmSync(join(directory, name), { force: true, recursive: true })
}

/** What a kill between two steps has left. */
function removeStale(directory: string, current: string): void {
  for (const name of readdirSync(directory))
    if (name.startsWith('..') && name !== dataLink && name !== current)
      rmSync(join(directory, name), { force: true, recursive: true })
}

function linksStand(directory: string, payload: Payload): boolean {
  const names = namesOf(payload)
  const shown = readdirSync(directory).filter((name) => !name.startsWith('..'))
  return shown.length === names.size && shown.every((name) => readLink(join(directory, name)) === join(dataLink, name))
}

function holds(directory: string, payload: Payload): boolean {
  const files = listFiles(directory)
  return (
    files.length === payload.size &&
    files.every((path) => {
      const wanted = payload.get(path)
      return wanted !== undefined && equalBytes(readFileSync(join(directory, path)), wanted.data)
    })
  )
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
      lstatSync(join(directory, path)).isFile(),
    )
  } catch {
    return []
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

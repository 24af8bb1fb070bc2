// effect: files
// What people hand over: files, folders, archives, `-` for standard input.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { UserError } from '#daemon/error.ts'
import { decodeSnapshot, type SnapshotFile } from '#doctor/snapshot/snapshot.ts'

/** More than this is not read: a dump of rules is never as large. */
const mostBytes = 1 << 30

/** Bundles are full of them, and a log may say anything. */
const isLog = (name: string): boolean => /(^|\/)logs\.txt$|\.log(\.gz)?$/.test(name)

/** All texts of these paths, but for logs in folders and archives. Names begin with the path as it was given; those in an archive with their name there. */
export function openInputs(paths: readonly string[]): SnapshotFile[] {
  return paths.flatMap((path) => {
    const found = reading(path, () => (path === '-' ? undefined : statSync(path)))
    return found?.isDirectory() ? openFolder(path) : openFile(path, path)
  })
}

function openFolder(folder: string): SnapshotFile[] {
  const entries = reading(folder, () => readdirSync(folder, { recursive: true, withFileTypes: true }))
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !isLog(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .flatMap((file) => openFile(file, join(basename(folder), relative(folder, file))))
}

function openFile(path: string, name: string): SnapshotFile[] {
  const bytes = unpacked(
    path,
    reading(path, () => readFileSync(path === '-' ? 0 : path)),
  )
  const files = decodeSnapshot(bytes)?.filter(({ file }) => !isLog(file))
  return files ?? [{ file: path === '-' ? 'standard input' : name, text: new TextDecoder().decode(bytes) }]
}

function unpacked(path: string, bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes })
  } catch (cause) {
    throw new UserError(`cannot unpack ${path}: ${(cause as Error).message}`, {
      code: 'BadArchive',
      remedy: 'the file may have been cut off on its way: have it sent again',
      cause,
    })
  }
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NoFile',
      remedy: 'name a file that exists',
      cause,
    })
  }
}

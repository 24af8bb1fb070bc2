// The archive that a kernel unpacks as its first root: cpio in the form "newc", as the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst has it.
import { concat, utf8 } from '#lib/bytes.ts'

export type ArchiveFile = {
  /** without a leading slash; folders must come before what is in them */
  readonly path: string
  /** undefined: a folder */
  readonly bytes?: Uint8Array
  readonly isProgram?: boolean
}

export function encodeArchive(files: readonly ArchiveFile[]): Uint8Array {
  const parts = files.flatMap(({ path, bytes, isProgram = false }, i) => {
    const mode = bytes === undefined ? 0o040755 : isProgram ? 0o100755 : 0o100644
    return entry(i + 1, mode, path, bytes ?? new Uint8Array())
  })
  return concat(...parts, ...entry(0, 0, 'TRAILER!!!', new Uint8Array()))
}

function entry(inode: number, mode: number, path: string, bytes: Uint8Array): Uint8Array[] {
  const name = utf8(`${path}\0`)
  // Inode, mode, owner, group, links, time, size, four device numbers, length of the name, checksum (none in this form).
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0]
  const header = utf8(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  return [header, name, padding(header.length + name.length), bytes, padding(bytes.length)]
}

/** Zeros up to the next multiple of four. */
const padding = (length: number) => new Uint8Array((4 - (length % 4)) % 4)

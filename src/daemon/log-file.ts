// effect: a log file
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Appends lines to a file, at once and in order. When the file has grown over `mostBytes` it becomes `PATH.1` (the one
 * before is dropped) and a new one begins. Makes the folder where it is missing.
 */
export function logFile(path: string, mostBytes = 16 * 1024 * 1024): { write(line: string): void; close(): void } {
  mkdirSync(dirname(path), { recursive: true })
  let fd = openSync(path, 'a', 0o644)
  let size = fstatSync(fd).size
  return {
    write(line) {
      size += writeSync(fd, line)
      if (size < mostBytes) return
      closeSync(fd)
      renameSync(path, `${path}.1`)
      fd = openSync(path, 'a', 0o644)
      size = 0
    },
    close: () => closeSync(fd),
  }
}

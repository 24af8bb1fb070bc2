// effect: files
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Readers see the old text or the new one, never half of it. Makes the folder where it is missing. False: no change. */
export function replaceFile(path: string, text: string): boolean {
  if (readFile(path) === text) return false
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
  return true
}

/** Undefined where it is not there or cannot be read. */
export function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

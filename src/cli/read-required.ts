// effect: files
import { readFileSync } from 'node:fs'
import { UserError } from '#daemon/error.ts'

/** The text of a file that a flag names. Throws UserError. */
export function readRequired(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`, { code: 'NoFile', cause: error })
  }
}

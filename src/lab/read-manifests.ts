// effect: files, standard input
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { type Manifest, parseManifests } from '#lab/manifest.ts'

/** The objects of files, of all files in folders, and of standard input (`-`), in order. Throws UserErrors. */
export const readManifests = (paths: readonly string[]): readonly Manifest[] =>
  paths.flatMap(filesOf).flatMap((file) => parseManifests(readText(file), file === '-' ? 'standard input' : file))

function filesOf(path: string): readonly string[] {
  if (path === '-' || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path]
  return readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .sort()
    .map((name) => join(path, name))
}

function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UserError(`${path}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`, {
      code: 'NoSuchFile',
      remedy: 'give the path of a YAML file with -f',
      cause: error,
    })
  }
}

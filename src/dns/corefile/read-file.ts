// effect: reads the Corefile and the environment
import { readFileSync } from 'node:fs'
import { UserError } from '#daemon/error.ts'
import { readCorefile, type ServerConfig } from '#dns/corefile/config.ts'

/** The file's text. Throws a UserError where there is none. */
export function readCorefileText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UserError(`cannot read the Corefile ${path}: ${(cause as Error).message}`, {
      code: 'NoCorefile',
      remedy: 'name one with --conf FILE',
      cause,
    })
  }
}

/** What `text` describes. Throws a UserError that names the line that is wrong. */
export function readServers(path: string, text: string): readonly ServerConfig[] {
  const read = readCorefile(text, process.env as Record<string, string>)
  if ('servers' in read) return read.servers
  throw new UserError(`${path}:${read.error.line}: ${read.error.message}`, {
    code: 'BadCorefile',
    remedy: 'mend that line and start again',
  })
}

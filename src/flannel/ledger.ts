// effect: a file
// Which routes of this machine are ours. The kernel does not say who set a route, so we remember it ourselves: written
// before a route is set and after it is gone, so that after a crash at any moment the file names all of ours, and nothing
// of another program's.
import type { OwnRoute } from '#flannel/diff.ts'
import { readFile, replaceFile } from '#flannel/replace-file.ts'

type Content = { readonly routes: readonly OwnRoute[]; readonly devices: readonly string[] }
const nothing: Content = { routes: [], devices: [] }

export class Ledger {
  readonly #path: string
  #content: Content

  /** A file that is absent or broken means that nothing is ours. */
  constructor(path: string) {
    this.#path = path
    this.#content = read(path)
  }

  get routes(): readonly OwnRoute[] {
    return this.#content.routes
  }
  get devices(): readonly string[] {
    return this.#content.devices
  }

  write(content: Content): void {
    this.#content = content
    replaceFile(this.#path, `${JSON.stringify(content)}\n`)
  }
}

function read(path: string): Content {
  try {
    return { ...nothing, ...(JSON.parse(readFile(path) ?? '') as Content) }
  } catch {
    return nothing
  }
}

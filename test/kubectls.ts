// The kubectls that tests run: the one on the PATH, and those that FAIRWAY_KUBECTLS names (paths with colons).
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export type Kubectl = {
  readonly path: string
  readonly minor: number
  /** a name of its own among those given, good for an object's name: 1-36-0 */
  readonly tag: string
}

export function given(): readonly Kubectl[] {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((part) => join(part, 'kubectl'))
  const paths = [onPath.find(existsSync) ?? [], ...(process.env['FAIRWAY_KUBECTLS'] ?? '').split(':')].flat()
  return [...new Set(paths)].filter(existsSync).map((path, index) => {
    const { stdout } = spawnSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8' })
    // One that was built from a checkout may not know its version: then its name has to say it, kubectl-1.36.
    const minor = /-1\.(\d+)$/.exec(path) ?? /"minor": "(\d+)/.exec(stdout)
    return { path, minor: Number(minor?.[1]), tag: `1-${minor?.[1]}-${index}` }
  })
}

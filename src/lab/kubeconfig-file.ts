// effect: the user's kubeconfig file
// The user's own kubeconfig file, which only changes on request: the cluster comes in as context `fairway` or
// `fairway-NAME`, and `down` takes it out again.
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { mergeKubeconfig, removeFromKubeconfig, renameKubeconfig, serverNamed } from '#lab/merge-kubeconfig.ts'
import { apiServerOf, type ClusterPlan, defaultRoots, planPaths } from '#lab/plan.ts'

/** The first file that $KUBECONFIG names and that is no cluster's own, else ~/.kube/config. */
export function usersKubeconfig(env: Readonly<Record<string, string | undefined>>): string {
  const named = (env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '')
  return named.find((path) => !path.startsWith(`${defaultRoots.state}/`)) ?? join(homedir(), '.kube', 'config')
}

export const contextOf = (cluster: string): string => (cluster === 'fairway' ? cluster : `fairway-${cluster}`)

/** Answers the context's name. */
export function mergeInto(file: string, { options, paths }: ClusterPlan): string {
  const context = contextOf(options.name)
  const own = readFileSync(paths.kubeconfig, 'utf8')
  replace(file, mergeKubeconfig(read(file), renameKubeconfig(own, context), file))
  const remembered = mergedFiles(options.name)
  if (!remembered.includes(file)) writeFileSync(listPath(options.name), [...remembered, file, ''].join('\n'))
  return context
}

/** Takes the cluster out of every file that it was merged into, where it is still that cluster. */
export function removeFromMerged({ options, ...plan }: ClusterPlan): void {
  const context = contextOf(options.name)
  for (const file of mergedFiles(options.name)) {
    if (!existsSync(file)) continue
    const text = read(file)
    if (serverNamed(text, context, file) !== apiServerOf({ options, ...plan }).url) continue
    const without = removeFromKubeconfig(text, context, file)
    if (without !== undefined) replace(file, without)
  }
}

const listPath = (name: string): string => `${planPaths(name).state}/merged-kubeconfigs`
const mergedFiles = (name: string): readonly string[] =>
  read(listPath(name))
    .split('\n')
    .filter((line) => line !== '')

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')

/** Whole or not at all, for the owner's eyes only; a link stays a link. */
function replace(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const target = existsSync(file) ? realpathSync(file) : file
  writeFileSync(`${target}.fairway`, text, { mode: 0o600 })
  chmodSync(`${target}.fairway`, 0o600)
  renameSync(`${target}.fairway`, target)
}

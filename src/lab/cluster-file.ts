// effect: files of the clusters of this machine
// Which clusters there are, and what each shall be.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { UserError } from '#daemon/error.ts'
import type { Cluster } from '#lab/cluster.ts'
import { type ClusterPlan, defaultRoots, planCluster, planPaths } from '#lab/plan.ts'

export function saveCluster({ cluster, paths }: ClusterPlan): void {
  mkdirSync(paths.state, { recursive: true, mode: 0o755 })
  mkdirSync(paths.logs, { recursive: true })
  writeFileSync(`${paths.cluster}.new`, `${JSON.stringify(cluster, undefined, 2)}\n`)
  renameSync(`${paths.cluster}.new`, paths.cluster)
}

/** Of a cluster of which nothing has been made yet. */
export const forgetCluster = ({ paths }: ClusterPlan): void => rmSync(paths.state, { recursive: true, force: true })

/** Undefined where there is no cluster of that name. Throws a UserError where its file cannot be understood. */
export function loadCluster(name: string): ClusterPlan | undefined {
  const { cluster } = planPaths(name)
  if (!existsSync(cluster)) return undefined
  try {
    return planCluster(JSON.parse(readFileSync(cluster, 'utf8')) as Cluster)
  } catch (error) {
    throw new UserError(`${cluster} is damaged, or of another version of Fairway: ${(error as Error).message}`, {
      code: 'BadClusterFile',
      remedy: `remove that cluster: fairway down --name ${name}`,
      cause: error,
    })
  }
}

export function requireCluster(name: string): ClusterPlan {
  const plan = loadCluster(name)
  if (plan) return plan
  const others = listClusters()
  throw new UserError(`there is no cluster "${name}"`, {
    code: 'NoCluster',
    remedy: others.length === 0 ? 'make one with: fairway up' : `there are: ${others.join(', ')} (choose with --name)`,
  })
}

/** The networks that the nodes of other clusters have; one whose file is damaged has none that is known. */
export const takenLans = (): readonly string[] =>
  listClusters().flatMap((name) => {
    try {
      return loadCluster(name)?.options.lanCidr ?? []
    } catch (error) {
      if (error instanceof UserError) return []
      throw error
    }
  })

export const listClusters = (): readonly string[] =>
  existsSync(defaultRoots.state)
    ? readdirSync(defaultRoots.state).filter((name) => existsSync(planPaths(name).cluster))
    : []

// effect: a cluster's own files
import { UserError } from '#daemon/error.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { isRunning } from '#lab/fabric.ts'
import type { ClusterPlan } from '#lab/plan.ts'

/** Throws a UserError where there is no such cluster, or its network is not there. */
export function requireRunning(name: string): ClusterPlan {
  const plan = requireCluster(name)
  if (isRunning(plan)) return plan
  throw new UserError(`the cluster "${name}" is stopped`, {
    code: 'ClusterStopped',
    remedy: `start it with: fairway start --name ${name}`,
  })
}

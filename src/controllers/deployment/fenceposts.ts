// How far a rolling update may go above and below the wanted number of replicas.

import type { Deployment } from '#api/apps.ts'
import { scaledCount } from '#api/int-or-percent.ts'

export const wantedReplicas = (deployment: Deployment): number => deployment.spec?.replicas ?? 1

export function isRolling(deployment: Deployment): boolean {
  return (deployment.spec?.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
}

/**
 * Pods above the wanted number (percentages rounded up) and unavailable ones below it (rounded down) that an update
 * may cause. Where both come to nothing, one may be unavailable, for else nothing could move. Recreate allows neither.
 */
export function fenceposts(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  if (!isRolling(deployment)) return { surge: 0, unavailable: 0 }
  const wanted = wantedReplicas(deployment)
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {}
  const surge = scaledCount(maxSurge, wanted, 'up') ?? 0
  const unavailable = scaledCount(maxUnavailable, wanted, 'down') ?? 0
  return { surge, unavailable: Math.min(surge === 0 && unavailable === 0 ? 1 : unavailable, wanted) }
}

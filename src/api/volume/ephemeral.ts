// The claims of generic ephemeral volumes: called after pod and volume, and of use to the pod only that owns them
// (k8s.io/component-helpers/storage/ephemeral).

import type { PersistentVolumeClaim } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { isControlledBy } from '#api/owner.ts'

export const ephemeralClaimName = (podName: string, volume: string): string => `${podName}-${volume}`

/** Why a claim of that name is not the pod's own; undefined where it is. */
export function whyNotOfPod(claim: PersistentVolumeClaim, { metadata: pod }: ApiObject): string | undefined {
  if (isControlledBy(claim, pod?.uid ?? '')) return undefined
  const { namespace, name } = claim.metadata ?? {}
  return `PVC ${namespace}/${name} was not created for pod ${pod?.namespace}/${pod?.name} (pod is not owner)`
}

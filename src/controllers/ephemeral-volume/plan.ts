// The claims of generic ephemeral volumes: made for a pod from the template that it has, and gone with it
// (pkg/controller/volume/ephemeral/controller.go).

import { type PersistentVolumeClaim, persistentVolumeClaims, type Pod, pods } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { controllerReference } from '#api/owner.ts'
import { ephemeralClaimName, whyNotOfPod } from '#api/volume/ephemeral.ts'
import { type Act, eventAbout } from '#client/control/act.ts'

export type EphemeralPlan = {
  readonly acts: readonly Act[]
  /** what is in the way; tried again later */
  readonly failure?: string
}

/** `claim`: that of the name, in the pod's namespace. */
export function planEphemeral(
  pod: Stored<Pod>,
  claim: (name: string) => Stored<PersistentVolumeClaim> | undefined,
): EphemeralPlan {
  if (pod.metadata.deletionTimestamp !== undefined) return { acts: [] }
  const acts: Act[] = []
  for (const { name, ephemeral } of pod.spec.volumes ?? []) {
    const { metadata = {}, spec } = ephemeral?.volumeClaimTemplate ?? {}
    if (spec === undefined) continue
    const claimName = ephemeralClaimName(pod.metadata.name, name)
    const known = claim(claimName)
    const problem = known && whyNotOfPod(known, pod)
    // The first that cannot be had ends it, as with Kubernetes: the pod cannot run without it.
    if (problem !== undefined) {
      const failure = `ephemeral volume ${name}: ${problem}`
      return { acts: [...acts, eventAbout(pods, pod, 'Warning', 'FailedBinding', failure)], failure }
    }
    if (known !== undefined) continue
    const { labels, annotations } = metadata
    acts.push({
      kind: 'create',
      resource: persistentVolumeClaims,
      object: {
        metadata: {
          name: claimName,
          namespace: pod.metadata.namespace,
          ownerReferences: [controllerReference(pods, pod)],
          ...(labels && { labels }),
          ...(annotations && { annotations }),
        },
        spec,
      } as PersistentVolumeClaim,
    })
  }
  return { acts }
}

import type { Pod } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { ephemeralClaimName } from '#api/volume/ephemeral.ts'

/** Keys of the claims that a pod's volumes name; that of a generic ephemeral volume is called after pod and volume. */
export const claimsOf = ({ metadata, spec }: Stored<Pod>): readonly string[] =>
  (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [`${metadata.namespace}/${persistentVolumeClaim.claimName}`]
    return ephemeral ? [`${metadata.namespace}/${ephemeralClaimName(metadata.name, name)}`] : []
  })

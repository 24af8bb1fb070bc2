// A claim that asks for more than it has: no volume is grown by this process, and so somebody else is waited for
// (pkg/controller/volume/expand/expand_controller.go).

import { persistentVolumeClaims } from '#api/core.ts'
import { compareQuantity, parseQuantity } from '#api/quantity.ts'
import { type Act, eventAbout } from '#client/control/act.ts'
import type { Claim, Volume } from '#controllers/volume-binder/match.ts'

/** `volume`: what the claim names. */
export function planExpansion(claim: Claim, volume: Volume | undefined): readonly Act[] {
  if (volume?.spec.claimRef?.uid !== claim.metadata.uid) return []
  const wanted = parseQuantity(claim.spec.resources?.requests?.['storage'] ?? '0')
  const has = parseQuantity(claim.status?.capacity?.['storage'] ?? '0')
  if (wanted.kind !== 'ok' || has.kind !== 'ok' || compareQuantity(wanted.value, has.value) <= 0) return []
  const message = 'waiting for an external controller to expand this PVC'
  return [eventAbout(persistentVolumeClaims, claim, 'Normal', 'ExternalExpanding', message)]
}

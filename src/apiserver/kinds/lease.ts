// Leases: who holds what, and until when.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type Lease, leases } from '#api/coordination.ts'
import { type FieldError, forbidden, invalid, notSupported } from '#api/field-error.ts'

export const leaseKind: Kind<Lease> = {
  resource: leases,
  type: 'coordination.Lease',
  singular: 'lease',
  columns: [nameColumn, text('Holder'), ageColumn],
  row: (lease, nowMs) => [nameOf(lease), lease.spec?.holderIdentity ?? '', age(lease, nowMs)],
  validate,
  createOnUpdate: true,
  unconditionalUpdate: false,
}

function validate({ spec = {} }: Lease): FieldError[] {
  const errors: FieldError[] = []
  const { leaseDurationSeconds: duration, leaseTransitions: transitions, strategy } = spec
  if (duration !== undefined && duration <= 0)
    errors.push(invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0'))
  if (transitions !== undefined && transitions < 0)
    errors.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'))
  if (strategy !== undefined && strategy !== 'OldestEmulationVersion')
    errors.push(notSupported('spec.strategy', strategy, ['OldestEmulationVersion']))
  if (spec.preferredHolder && !strategy)
    errors.push(forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined'))
  return errors
}

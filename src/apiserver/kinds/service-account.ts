// ServiceAccounts. Their tokens are signed by the engine's subresource `token`.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf } from '#apiserver/kinds/cells.ts'
import { type ServiceAccount, serviceAccounts } from '#api/core.ts'

export const serviceAccountKind: Kind<ServiceAccount> = {
  resource: serviceAccounts,
  type: 'core.ServiceAccount',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  columns: [nameColumn, ageColumn],
  row: (account, nowMs) => [nameOf(account), age(account, nowMs)],
  answersDeleted: true,
}

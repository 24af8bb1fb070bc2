// Secrets.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { defaultSecret, validateSecret } from '#api/config/secret.ts'
import { type Secret, secrets } from '#api/core.ts'

export const secretKind: Kind<Secret> = {
  resource: secrets,
  type: 'core.Secret',
  singular: 'secret',
  columns: [nameColumn, text('Type'), text('Data'), ageColumn],
  row: (secret, nowMs) => [
    nameOf(secret),
    secret.type ?? '',
    Object.keys(secret.data ?? {}).length,
    age(secret, nowMs),
  ],
  default: defaultSecret,
  validate: validateSecret,
  fields: (secret) => ({ type: secret.type ?? '' }),
}

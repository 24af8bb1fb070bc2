// ConfigMaps.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { validateConfigMap } from '#api/config/validate.ts'
import { type ConfigMap, configMaps } from '#api/core.ts'

export const configMapKind: Kind<ConfigMap> = {
  resource: configMaps,
  type: 'core.ConfigMap',
  singular: 'configmap',
  shortNames: ['cm'],
  columns: [nameColumn, text('Data'), ageColumn],
  row: (map, nowMs) => [
    nameOf(map),
    Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length,
    age(map, nowMs),
  ],
  validate: validateConfigMap,
}

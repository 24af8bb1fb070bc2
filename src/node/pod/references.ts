// Which ConfigMaps and Secrets a pod's containers and volumes are made from.

import type { Pod } from '#api/core.ts'
import { allContainersOf } from '#node/pod/containers.ts'

export type References = { readonly configMaps: ReadonlySet<string>; readonly secrets: ReadonlySet<string> }

export function referencesOf({ spec }: Pod): References {
  const configMaps: (string | undefined)[] = []
  const secrets: (string | undefined)[] = []
  for (const { env = [], envFrom = [] } of spec === undefined ? [] : allContainersOf(spec)) {
    configMaps.push(...envFrom.map((source) => source.configMapRef?.name))
    secrets.push(...envFrom.map((source) => source.secretRef?.name))
    configMaps.push(...env.map((variable) => variable.valueFrom?.configMapKeyRef?.name))
    secrets.push(...env.map((variable) => variable.valueFrom?.secretKeyRef?.name))
  }
  for (const { configMap, secret, projected } of spec?.volumes ?? []) {
    configMaps.push(configMap?.name, ...(projected?.sources ?? []).map((source) => source.configMap?.name))
    secrets.push(secret?.secretName, ...(projected?.sources ?? []).map((source) => source.secret?.name))
  }
  return { configMaps: named(configMaps), secrets: named(secrets) }
}

const named = (names: readonly (string | undefined)[]): ReadonlySet<string> =>
  new Set(names.flatMap((name) => name || []))

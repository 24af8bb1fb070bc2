// What every namespace has: a service account `default` for its pods, and the authority that pods check the server by.

import { type ConfigMap, type Namespace, type ServiceAccount, configMaps, serviceAccounts } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, patchOf } from '#client/control/act.ts'

const isActive = (namespace: Stored<Namespace>): boolean =>
  namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== 'Terminating'

export function planDefaultAccount(
  namespace: Stored<Namespace>,
  account: Stored<ServiceAccount> | undefined,
): readonly Act[] {
  if (account !== undefined || !isActive(namespace)) return []
  const metadata = { name: 'default', namespace: namespace.metadata.name }
  const object: ServiceAccount = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  return [{ kind: 'create', resource: serviceAccounts, object }]
}

export const rootCaName = 'kube-root-ca.crt'

/** Kubernetes' own words about the bundle. */
const annotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
}

/** Keeps the bundle (PEM) in the namespace; puts it right when someone changed it. */
export function planRootCa(
  namespace: Stored<Namespace>,
  current: Stored<ConfigMap> | undefined,
  bundle: string,
): readonly Act[] {
  if (!isActive(namespace)) return []
  const data = { 'ca.crt': bundle }
  if (current === undefined) {
    const metadata = { name: rootCaName, namespace: namespace.metadata.name, annotations }
    const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
    return [{ kind: 'create', resource: configMaps, object }]
  }
  const keys = Object.keys(current.data ?? {})
  const isRight = keys.length === 1 && current.data?.['ca.crt'] === bundle
  const isDescribed =
    current.metadata.annotations?.['kubernetes.io/description'] === annotations['kubernetes.io/description']
  if (isRight && isDescribed) return []
  const extra = Object.fromEntries(keys.filter((key) => key !== 'ca.crt').map((key) => [key, null]))
  return [patchOf(configMaps, current, { metadata: { annotations }, data: { ...extra, ...data } })]
}

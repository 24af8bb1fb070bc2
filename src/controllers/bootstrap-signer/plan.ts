// What a machine that joins may read before it is anyone: the ConfigMap cluster-info, with a signature for each bootstrap
// token (cluster-bootstrap's bootstrapsigner). The token cleaner ends the tokens themselves.

import type { ConfigMap, Secret } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { endOf } from '#controllers/token-cleaner/plan.ts'
import { signDetached } from '#pki/detached-jws.ts'

const prefix = 'jws-kubeconfig-'

/** A kubeconfig that names the server and its authority (PEM), and nobody's credentials. */
export const renderClusterInfo = (server: string, ca: string): string =>
  `apiVersion: v1
kind: Config
clusters:
- name: ""
  cluster:
    server: ${server}
    certificate-authority-data: ${btoa(ca)}
contexts: null
current-context: ""
users: null
`

/** The map with the signatures that it should have; undefined where it has them. */
export function planSignatures(
  map: Stored<ConfigMap>,
  tokens: Iterable<Stored<Secret>>,
  nowMs: number,
): ConfigMap | undefined {
  const content = map.data?.['kubeconfig']
  if (content === undefined) return undefined
  const signatures: Record<string, string> = {}
  for (const token of tokens) {
    const text = (name: string) => atob(token.data?.[name] ?? '')
    if (text('usage-bootstrap-signing') !== 'true' || endOf(token) <= nowMs) continue
    signatures[`${prefix}${text('token-id')}`] = signDetached(content, text('token-id'), text('token-secret'))
  }
  const others = Object.entries(map.data ?? {}).filter(([name]) => !name.startsWith(prefix))
  const data = { ...Object.fromEntries(others), ...signatures }
  const had = map.data ?? {}
  const isSame =
    Object.keys(data).length === Object.keys(had).length &&
    Object.entries(data).every(([name, value]) => had[name] === value)
  return isSame ? undefined : { ...map, data }
}

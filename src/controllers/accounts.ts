// effect: requests to the API server
// Each controller as a service account of its own in kube-system, with no more rights than its role gives: what
// kube-controller-manager does with --use-service-account-credentials.

import { serviceAccounts } from '#api/core.ts'
import type { Typed } from '#api/schema/schema.ts'
import { type Client, isAlreadyExists, isNotFound } from '#client/client.ts'
import type { Clock } from '#daemon/clock.ts'

const namespace = 'kube-system'

/** Where Kubernetes' role for a controller is not called as the controller is. */
const accounts: Readonly<Record<string, string>> = {
  'bootstrap-signer-controller': 'bootstrap-signer',
  'daemonset-controller': 'daemon-set-controller',
  'endpoints-controller': 'endpoint-controller',
  'endpointslice-mirroring-controller': 'endpointslicemirroring-controller',
  'garbage-collector-controller': 'generic-garbage-collector',
  'node-ipam-controller': 'node-controller',
  'node-lifecycle-controller': 'node-controller',
  'persistentvolume-binder-controller': 'persistent-volume-binder',
  'persistentvolume-expander-controller': 'expand-controller',
  'persistentvolume-protection-controller': 'pv-protection-controller',
  'persistentvolumeclaim-protection-controller': 'pvc-protection-controller',
  'pod-garbage-collector-controller': 'pod-garbage-collector',
  'replicationcontroller-controller': 'replication-controller',
  'root-ca-certificate-publisher-controller': 'root-ca-cert-publisher',
  'service-cidr-controller': 'service-cidrs-controller',
  'service-lb-controller': 'service-controller',
  'serviceaccount-controller': 'service-account-controller',
  'taint-eviction-controller': 'node-controller',
  'token-cleaner-controller': 'token-cleaner',
}

export const accountOf = (controller: string): string => accounts[controller] ?? controller

const lifeSeconds = 3600
/** Renewed when a fifth of its life is left. */
const renewAfterMs = lifeSeconds * 800

/** A token of the account, made when it is first asked for and anew before it ends; `client` may make accounts and tokens. */
export function accountToken(client: Client, account: string, clock: Clock): () => Promise<string> {
  let token: { readonly text: string; readonly renewAtMs: number } | undefined
  let asking: Promise<string> | undefined
  const ask = async () => {
    const text = await requestToken(client, account)
    token = { text, renewAtMs: clock.monotonicMs() + renewAfterMs }
    return text
  }
  return async () => {
    if (token !== undefined && clock.monotonicMs() < token.renewAtMs) return token.text
    asking ??= ask().finally(() => (asking = undefined))
    return asking
  }
}

async function requestToken(client: Client, account: string): Promise<string> {
  const request = () =>
    client.create(serviceAccounts, { spec: { expirationSeconds: lifeSeconds, audiences: [] } } as object, {
      namespace,
      name: account,
      subresource: 'token',
    }) as Promise<Typed<'authentication', 'TokenRequest'>>
  const answer = await request().catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error
    await client.create(serviceAccounts, { metadata: { name: account, namespace } }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error
    })
    return request()
  })
  const text = answer.status?.token
  if (text === undefined) throw new Error(`the API server gave no token for service account ${namespace}/${account}`)
  return text
}

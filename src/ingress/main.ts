// effect: list and watch requests, writes to the API server, the HAProxy program
// The Ingress controller as a part: what it watches, its data plane, and who writes.

import { hostname } from 'node:os'
import type { Secret } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Client } from '#client/client.ts'
import { withoutManagedFields } from '#client/control/managed-fields.ts'
import { runControllers } from '#client/control/run-controllers.ts'
import { electLeader } from '#client/lease.ts'
import type { PartContext } from '#daemon/part.ts'
import { Certificates, createOwnCertificate } from '#ingress/certificates.ts'
import { ingressController, type Served } from '#ingress/controller.ts'
import type { ProxySettings } from '#ingress/haproxy/config.ts'
import { DataPlane } from '#ingress/haproxy/data-plane.ts'
import { statusController, type StatusOptions } from '#ingress/status.ts'

export type IngressOptions = ProxySettings &
  Pick<StatusOptions, 'publishService' | 'publishAddresses'> & {
    readonly client: Client
    /** wait for the lease before anything is written: for more than one replica */
    readonly leaderElect: boolean
    /** where the lease is */
    readonly leaseNamespace: string
    /** told when requests are served as the API server says */
    onServing(dataPlane: DataPlane): void
  }

/** Serves Ingresses until the signal is aborted, and the requests that are under way have ended. */
export async function run(options: IngressOptions, context: PartContext): Promise<void> {
  const { client, leaderElect, onServing } = options
  const { signal } = context
  const writes = { leading: !leaderElect }
  const listeners: ((keys?: Iterable<string>) => void)[] = []
  const changed = (keys?: Iterable<string>) => {
    for (const listener of listeners) listener(keys)
  }
  let dataPlane: DataPlane | undefined
  let served: Served | undefined
  let applyAgain = () => {}
  const ownCertificate = createOwnCertificate()
  const controller = ingressController({
    certificates: new Certificates(),
    writes,
    openDataPlane(mark) {
      applyAgain = mark
      return (dataPlane = new DataPlane({ ...options, ownCertificate, onEnded: mark }, context))
    },
    onServed(now, keys) {
      const isFirst = served === undefined
      served = now
      if (isFirst) onServing(dataPlane!)
      if (isFirst || keys.size > 0) changed(keys)
    },
  })
  const status = statusController({
    ...options,
    writes,
    served: () => served,
    onChange: (listener) => void listeners.push(listener),
  })
  const serving = runControllers(
    { client, controllers: [controller, status], settings: undefined, slimOf },
    { ...context, signal },
  )
  if (!leaderElect) return serving
  const elected = electLeader({
    ...context,
    client,
    namespace: options.leaseNamespace,
    name: 'fairway-ingress',
    holder: `${hostname()}_${process.pid}`,
    async lead(leading) {
      writes.leading = true
      changed()
      // What could not be served before is told now.
      applyAgain()
      await new Promise<void>((resolve) => leading.addEventListener('abort', () => resolve(), { once: true }))
      writes.leading = false
    },
  })
  await Promise.all([serving, elected])
}

const keptOfSecrets: ReadonlySet<string> = new Set(['tls.crt', 'tls.key', 'auth'])

/** Of Secrets only what a certificate needs is kept, and lists of users. */
function slimOf({ kind }: Resource): (object: ApiObject) => ApiObject {
  if (kind !== 'Secret') return withoutManagedFields
  return (object) => {
    const { metadata, data = {}, type } = withoutManagedFields(object as Secret)
    const kept = Object.entries(data).filter(([name]) => keptOfSecrets.has(name))
    return { metadata, data: Object.fromEntries(kept), ...(type && { type }) } as Secret
  }
}

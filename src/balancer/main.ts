// effect: list and watch requests, writes to the API server
// The balancer as a part: the service controller with a provider, and who leads.

import { hostname } from 'node:os'
import type { ApiObject } from '#api/meta.ts'
import type { AddressPool } from '#balancer/pool/address-pool.ts'
import { poolProvider } from '#balancer/pool/pool-provider.ts'
import { serviceController } from '#balancer/service-controller.ts'
import { unservedController } from '#balancer/unserved.ts'
import type { Client } from '#client/client.ts'
import type { Controller } from '#client/control/controller.ts'
import { runControllers } from '#client/control/run-controllers.ts'
import { electLeader } from '#client/lease.ts'
import type { PartContext } from '#daemon/part.ts'

export type BalancerOptions = {
  /** fills the caches */
  readonly client: Client
  /** who writes; default: `client` */
  readonly writingClient?: Client
  /** undefined: nobody makes load balancers, and each Service that asks for one is told so */
  readonly pool: AddressPool | undefined
  /** also serves Services without a loadBalancerClass */
  readonly isDefault: boolean
  readonly leaderElect: boolean
}

/** Makes load balancers until the signal is aborted. */
export async function run(options: BalancerOptions, context: PartContext): Promise<void> {
  const { client, writingClient = client, pool, isDefault, leaderElect } = options
  const controllers: Controller<undefined>[] = [unservedController]
  if (pool) controllers.push(serviceController(({ caches }) => ({ provider: poolProvider(pool, caches), isDefault })))
  const lead = (signal: AbortSignal) =>
    runControllers(
      { client, clientFor: () => writingClient, controllers, settings: undefined, slimOf: () => slim },
      { ...context, signal },
    )
  if (!leaderElect) return lead(context.signal)
  await electLeader({
    ...context,
    client,
    namespace: 'kube-system',
    name: 'fairway-balancer',
    holder: `${hostname()}_${process.pid}`,
    lead,
  })
}

function slim(object: ApiObject): ApiObject {
  const { managedFields: _, ...metadata } = object.metadata ?? {}
  return { ...object, metadata }
}

// effect: list and watch requests, writes to the API server
// The balancer as a part: the service controller with a provider, and who leads.

import { hostname } from 'node:os'
import { applianceController } from '#balancer/appliance/controller.ts'
import type { Standing } from '#balancer/appliance/plan.ts'
import type { AddressPool } from '#balancer/pool/address-pool.ts'
import { poolProvider } from '#balancer/pool/pool-provider.ts'
import type { Served } from '#balancer/provider.ts'
import { serviceController } from '#balancer/service-controller.ts'
import { unservedController } from '#balancer/unserved.ts'
import type { Client } from '#client/client.ts'
import type { Caches } from '#client/control/caches.ts'
import type { Controller } from '#client/control/controller.ts'
import { runControllers } from '#client/control/run-controllers.ts'
import { electLeader } from '#client/lease.ts'
import type { PartContext } from '#daemon/part.ts'

export type Making =
  | { readonly provider: 'pool'; readonly pool: AddressPool }
  | {
      readonly provider: 'appliance'
      readonly pool: AddressPool
      /** the interface of this machine that gets the addresses */
      readonly link: string
      /** told of every look at which nodes get connections */
      onStandings(standings: readonly Standing[]): void
    }

export type BalancerOptions = {
  /** fills the caches */
  readonly client: Client
  /** who writes; default: `client` */
  readonly writingClient?: Client
  /** undefined: nobody makes load balancers, and each Service that asks for one is told so */
  readonly making: Making | undefined
  /** also serves Services without a loadBalancerClass */
  readonly isDefault: boolean
  readonly leaderElect: boolean
  /** told once, when all caches have their first list */
  onSynced?(): void
}

/** Makes load balancers until the signal is aborted. */
export async function run(options: BalancerOptions, context: PartContext): Promise<void> {
  const { client, writingClient = client, leaderElect } = options
  const lead = (signal: AbortSignal) =>
    runControllers(
      {
        client,
        clientFor: () => writingClient,
        controllers: controllersOf(options),
        settings: undefined,
        ...(options.onSynced && { onSynced: options.onSynced }),
      },
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

function controllersOf({ making, isDefault }: BalancerOptions): readonly Controller<undefined>[] {
  if (making === undefined) return [unservedController]
  const { provider, pool } = making
  const served = (caches: Caches): Served => ({ provider: poolProvider(provider, pool, caches), isDefault })
  const service = serviceController<undefined>(({ caches }) => served(caches))
  // An appliance stands beside a cluster, in which somebody else tells of what nobody serves.
  return making.provider === 'appliance'
    ? [service, applianceController(making, served)]
    : [unservedController, service]
}

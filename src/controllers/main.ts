// effect: list and watch requests, writes to the API server
// The controllers as a part: health, and who leads.

import { hostname } from 'node:os'
import type { Client } from '#client/client.ts'
import { runControllers } from '#client/control/run-controllers.ts'
import { electLeader } from '#client/lease.ts'
import { accountOf } from '#controllers/accounts.ts'
import type { ControllerFlags, Settings } from '#controllers/flags.ts'
import { chosen } from '#controllers/roster.ts'
import { isKeptWhole, slimOf } from '#controllers/slim.ts'
import { serveHealth } from '#daemon/health.ts'
import type { PartContext } from '#daemon/part.ts'

export type ControllersOptions = Omit<
  ControllerFlags,
  | 'rootCaFile'
  | 'clusterSigningCertFile'
  | 'clusterSigningKeyFile'
  | 'useServiceAccountCredentials'
  | 'schedulerKubeconfig'
> &
  Settings & {
    readonly client: Client
    /** default: the scheduler uses `client` too */
    readonly schedulerClient?: Client | undefined
    /** A client that speaks as this service account of kube-system; without it all controllers use `client` for everything. */
    clientAs?(account: string): Client
    /** told once, when all caches have their first list */
    onSynced?(): void
  }

/** Runs the controllers that the options name until the signal is aborted. */
export async function run(options: ControllersOptions, context: PartContext): Promise<void> {
  chosen(options.controllers)
  const { client, controllersHealthAddress: at } = options
  const { signal, log, clock, registry } = context
  let state: string | undefined = options.leaderElect ? 'waiting to become the leader' : 'caches are not synced yet'
  const onSynced = () => {
    state = undefined
    options.onSynced?.()
  }
  if (at !== undefined) {
    const checks = { caches: () => state }
    await serveHealth({ address: at.host, port: at.port, checks, notLive: ['caches'], registry, signal })
  }
  // One identity, which may read everything, fills the caches; each controller writes as itself.
  const clientFor = (name: string): Client =>
    name === 'scheduler' ? (options.schedulerClient ?? client) : (options.clientAs?.(accountOf(name)) ?? client)
  const lead = (signal: AbortSignal) =>
    runControllers(
      {
        client,
        clientFor,
        controllers: chosen(options.controllers),
        settings: options,
        slimOf,
        isWhole: isKeptWhole,
        onSynced,
      },
      { ...context, signal },
    )
  if (!options.leaderElect) return lead(signal)
  await electLeader({
    client,
    signal,
    log,
    clock,
    namespace: 'kube-system',
    name: 'kube-controller-manager',
    durationMs: options.leaderElectLeaseDuration,
    holder: `${hostname()}_${process.pid}`,
    lead,
  })
}

// effect: files, mounts, requests to the API server
// The provisioner as a part.

import type { Client } from '#client/client.ts'
import { runControllers } from '#client/control/run-controllers.ts'
import type { Address } from '#daemon/flags.ts'
import { serveHealth } from '#daemon/health.ts'
import type { PartContext } from '#daemon/part.ts'
import { provisioner } from '#storage/provisioner.ts'
import { VolumeStore } from '#storage/volume-store.ts'

export type ProvisionerOptions = {
  readonly client: Client
  readonly nodeName: string
  /** where the volumes lie */
  readonly folder: string
  /** other folders, by the name that classes call them */
  readonly namedFolders?: ReadonlyMap<string, string>
  /** /healthz, /readyz, /metrics; undefined: nowhere */
  readonly health: Address | undefined
}
export const provisionerHealth: Address = { host: '0.0.0.0', port: 8474 }

/** Provides this node's volumes until the signal is aborted. They stay mounted after it. */
export async function run(options: ProvisionerOptions, context: PartContext): Promise<void> {
  const { client, nodeName, folder, namedFolders = new Map<string, string>(), health } = options
  const { registry, signal } = context
  const named = new Map([...namedFolders].map(([name, path]) => [name, new VolumeStore(path)]))
  const stores = { main: new VolumeStore(folder), named }
  let isSynced = false
  if (health !== undefined)
    await serveHealth({
      address: health.host,
      port: health.port,
      checks: { caches: () => (isSynced ? undefined : 'caches are not synced yet') },
      notLive: ['caches'],
      registry,
      signal,
    })
  const onSynced = () => (isSynced = true)
  await runControllers({ client, controllers: [provisioner], settings: { nodeName, stores }, onSynced }, context)
}

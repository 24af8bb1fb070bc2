// effect: files, mounts, requests to the API server
// The provisioner as a part.

import { namespaces } from '#api/core.ts'
import type { Client } from '#client/client.ts'
import { runControllers } from '#client/control/run-controllers.ts'
import { UserError } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { provisioner } from '#storage/provisioner.ts'
import { VolumeStore } from '#storage/volume-store.ts'

export type ProvisionerOptions = {
  readonly client: Client
  readonly nodeName: string
  /** where the volumes lie */
  readonly folder: string
}

/** Provides this node's volumes until the signal is aborted. They stay mounted after it. */
export async function run({ client, nodeName, folder }: ProvisionerOptions, context: PartContext): Promise<void> {
  const store = new VolumeStore(folder)
  const clusterUid = await clusterOf(client, context)
  if (clusterUid === undefined) return
  const owner = store.claim(clusterUid)
  if (owner !== undefined)
    throw new UserError(`${folder} has volumes of another cluster (${owner})`, {
      code: 'OtherCluster',
      remedy: 'give another folder with --folder, or remove this one if its data is not wanted any more',
    })
  await runControllers({ client, controllers: [provisioner], settings: { nodeName, store } }, context)
}

/** The UID of kube-system stands for the cluster, as everywhere; undefined: ended before the server answered. */
async function clusterOf(client: Client, { clock, log, signal }: PartContext): Promise<string | undefined> {
  for (let pauseMs = 100; !signal.aborted; pauseMs = Math.min(2 * pauseMs, 5000)) {
    try {
      return (await client.get(namespaces, 'kube-system', { signal })).metadata?.uid
    } catch (error) {
      if (!signal.aborted) log.debug('the API server does not answer yet', { err: (error as Error).message })
    }
    await clock.sleep(pauseMs, signal)
  }
  return undefined
}

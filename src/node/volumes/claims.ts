// effect: requests to the API server
// The volumes behind the claims of pods. A node may ask for each of them, once its claim is bound and a pod of its own
// uses it; what was found stays until the pod is gone, for a bound claim never gets another volume.
import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
  type Pod,
  type Volume,
} from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { ephemeralClaimName, whyNotOfPod } from '#api/volume/ephemeral.ts'
import { type Client, isNotFound } from '#client/client.ts'

export type Claimed = { readonly volume: PersistentVolume } | { readonly problem: string }

export class Claims {
  readonly #client: Client
  readonly #found = new Map<string, Map<string, PersistentVolume>>()

  constructor(client: Client) {
    this.#client = client
  }

  /** What each volume of the pod that names a claim stands for, by the volume's name. */
  async follow(pod: Stored<Pod>): Promise<ReadonlyMap<string, Claimed>> {
    const { metadata, spec } = pod
    const found = this.#found.get(metadata.uid) ?? new Map<string, PersistentVolume>()
    const answers = (spec.volumes ?? []).flatMap((volume) => {
      const claim = claimNameOf(volume, metadata.name)
      return claim === undefined ? [] : [{ volume: volume.name, claim, owner: volume.ephemeral && pod }]
    })
    const claimed = await Promise.all(
      answers.map(async ({ volume, claim, owner }): Promise<readonly [string, Claimed]> => {
        const known = found.get(volume)
        if (known) return [volume, { volume: known }]
        const answer = await this.#resolve(metadata.namespace, claim, owner)
        if ('volume' in answer) found.set(volume, answer.volume)
        return [volume, answer]
      }),
    )
    if (found.size > 0) this.#found.set(metadata.uid, found)
    return new Map(claimed)
  }

  release(uid: string): void {
    this.#found.delete(uid)
  }

  /** `owner`: the pod that the claim must be of. */
  async #resolve(namespace: string, name: string, owner: Stored<Pod> | undefined): Promise<Claimed> {
    const key = `${namespace}/${name}`
    const claim = await this.#get(() => this.#client.get(persistentVolumeClaims, name, { namespace }))
    if (claim === undefined) return { problem: `persistentvolumeclaim ${JSON.stringify(name)} not found` }
    const why = (owner && whyNotOfPod(claim, owner)) ?? whyUnusable(claim, key)
    if (why !== undefined) return { problem: why }
    const volumeName = claim.spec?.volumeName ?? ''
    const volume = await this.#get(() => this.#client.get(persistentVolumes, volumeName))
    if (volume === undefined) return { problem: `persistentvolume ${JSON.stringify(volumeName)} not found` }
    if (volume.spec?.claimRef?.uid !== claim.metadata?.uid)
      return { problem: `persistentvolume ${JSON.stringify(volumeName)} is bound to another claim than ${key}` }
    return { volume }
  }

  async #get<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask()
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

/** The claim of a generic ephemeral volume is called after pod and volume. */
const claimNameOf = ({ name, persistentVolumeClaim, ephemeral }: Volume, pod: string): string | undefined =>
  persistentVolumeClaim?.claimName ?? (ephemeral ? ephemeralClaimName(pod, name) : undefined)

function whyUnusable({ metadata, spec, status }: PersistentVolumeClaim, key: string): string | undefined {
  if (metadata?.deletionTimestamp !== undefined) return `can't use PVC ${key} because it is being deleted`
  if (status?.phase !== 'Bound' || !spec?.volumeName) return `error processing PVC ${key}: PVC is not bound`
  return undefined
}

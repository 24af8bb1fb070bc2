// What each node may see: the objects that its pods are made from, and what leads from these to volumes and their secrets
// (plugin/pkg/auth/authorizer/node/graph.go).

import type { PersistentVolume, Pod } from '#api/core.ts'
import { podReferences } from '#api/pod/references.ts'

export type Vertex = 'pod' | 'secret' | 'configmap' | 'claim' | 'account' | 'volume' | 'attachment'

type PodPart = { readonly node: string; readonly references: readonly string[] }
type VolumePart = { readonly claim: string; readonly secrets: readonly string[] }

const mirrorAnnotation = 'kubernetes.io/config.mirror'

export class NodeGraph {
  readonly #pods = new Map<string, PodPart>()
  /** node -> what its pods refer to, `kind namespace/name` -> how many times */
  readonly #seenBy = new Map<string, Map<string, number>>()
  readonly #volumes = new Map<string, VolumePart>()
  /** `namespace/name` of a secret -> the volumes that need it */
  readonly #bySecret = new Map<string, Set<string>>()
  readonly #attachments = new Map<string, string>()

  setPod(key: string, pod: Pod | undefined): void {
    const before = this.#pods.get(key)
    const node = pod?.spec?.nodeName
    if (pod === undefined || !node) {
      this.#count(before, -1)
      this.#pods.delete(key)
      return
    }
    const part = { node, references: referencesOf(key, pod) }
    this.#count(before, -1)
    this.#pods.set(key, part)
    this.#count(part, 1)
  }
  setVolume(name: string, volume: PersistentVolume | undefined): void {
    for (const secret of this.#volumes.get(name)?.secrets ?? []) this.#bySecret.get(secret)?.delete(name)
    const part = volume && volumePart(volume)
    if (part === undefined) return void this.#volumes.delete(name)
    this.#volumes.set(name, part)
    for (const secret of part.secrets) this.#bySecret.set(secret, (this.#bySecret.get(secret) ?? new Set()).add(name))
  }
  setAttachment(name: string, node: string | undefined): void {
    if (node === undefined) this.#attachments.delete(name)
    else this.#attachments.set(name, node)
  }

  /** `key` is `namespace/name`, or the name of what is in no namespace. */
  reaches(node: string, vertex: Vertex, key: string): boolean {
    if (vertex === 'attachment') return this.#attachments.get(key) === node
    if (vertex === 'volume') {
      const claim = this.#volumes.get(key)?.claim
      return claim !== undefined && this.reaches(node, 'claim', claim)
    }
    if (this.#seenBy.get(node)?.has(`${vertex} ${key}`)) return true
    if (vertex !== 'secret') return false
    return [...(this.#bySecret.get(key) ?? [])].some((volume) => this.reaches(node, 'volume', volume))
  }

  #count(part: PodPart | undefined, change: 1 | -1): void {
    if (part === undefined) return
    const seen = this.#seenBy.get(part.node) ?? new Map<string, number>()
    for (const reference of part.references) {
      const count = (seen.get(reference) ?? 0) + change
      if (count > 0) seen.set(reference, count)
      else seen.delete(reference)
    }
    if (seen.size > 0) this.#seenBy.set(part.node, seen)
    else this.#seenBy.delete(part.node)
  }
}

function referencesOf(key: string, pod: Pod): readonly string[] {
  const own = `pod ${key}`
  // A node makes its mirror pods itself: they must not lead anywhere.
  if (pod.metadata?.annotations?.[mirrorAnnotation] !== undefined) return [own]
  const namespace = pod.metadata?.namespace ?? ''
  const { secrets, configMaps, claims } = podReferences(pod)
  const account = pod.spec?.serviceAccountName
  const all = (vertex: Vertex, names: Iterable<string>) => [...names].map((name) => `${vertex} ${namespace}/${name}`)
  return [
    own,
    ...all('account', account ? [account] : []),
    ...all('secret', secrets),
    ...all('configmap', configMaps),
    ...all('claim', claims),
  ]
}

/** Undefined: it is bound to no claim, so no pod leads to it. */
function volumePart({ spec }: PersistentVolume): VolumePart | undefined {
  const { claimRef } = spec ?? {}
  if (claimRef?.name === undefined) return undefined
  const own = claimRef.namespace ?? ''
  const named = (name: string | undefined, namespace: string | undefined) =>
    name ? [`${namespace || own}/${name}`] : []
  const { azureFile, cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos, csi } = spec ?? {}
  const referenced = [cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos].map((source) => source?.secretRef)
  const ofCsi = [csi?.nodePublishSecretRef, csi?.nodeStageSecretRef, csi?.nodeExpandSecretRef]
  return {
    claim: `${own}/${claimRef.name}`,
    secrets: [
      ...named(azureFile?.secretName, azureFile?.secretNamespace),
      ...[...referenced, ...ofCsi].flatMap((secret) => named(secret?.name, secret?.namespace)),
    ],
  }
}

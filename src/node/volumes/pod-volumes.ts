// effect: folders, files and mounts of volumes
// The volumes of pods on this machine: made before a pod's containers, kept up to date while they run, removed after.
// Secrets and tokens lie on the tmpfs of the run folder, everything else in the state folder.
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod, Volume } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import { mountTmpfs, mounts, unmount } from '#kernel/mount.ts'
import type { PodFacts } from '#node/pod/downward.ts'
import type { Allocatable } from '#node/pod/resource-field.ts'
import { writePayload } from '#node/volumes/atomic-writer.ts'
import type { ObjectCache } from '#node/volumes/object-cache.ts'
import { planPayload } from '#node/volumes/payload.ts'
import type { Tokens } from '#node/volumes/tokens.ts'
import type { Claimed, Claims } from '#node/volumes/claims.ts'
import { mountNfs } from '#node/volumes/nfs.ts'
import { hostPathProblem, planClaimed, planVolume, pluginFolder, type VolumePlan } from '#node/volumes/volume-kind.ts'

/** A volume that cannot be had; the message is the end of a FailedMount event. */
export class VolumeError extends Error {
  readonly code = 'VolumeError'
  readonly volume: string
  constructor(volume: string, message: string) {
    super(message)
    this.name = 'VolumeError'
    this.volume = volume
  }
}

export type PodVolumesOptions = {
  /** one folder per pod below each */
  readonly stateFolder: string
  readonly runFolder: string
  readonly objects: ObjectCache
  readonly tokens: Tokens
  readonly claims: Claims
  readonly clock: Clock
  readonly allocatable: () => Allocatable
}

export class PodVolumes {
  readonly #o: PodVolumesOptions

  constructor(options: PodVolumesOptions) {
    this.#o = options
  }

  /** The pod's own folder on disk. */
  folderOf(uid: string): string {
    return join(this.#o.stateFolder, uid)
  }

  /**
   * Makes every volume what it shall be; throws a VolumeError for the first that cannot be had. Answers where each is,
   * by its name, and in how many ms to come again (a token must be renewed).
   */
  async setUp(
    pod: Stored<Pod>,
    facts: PodFacts,
  ): Promise<{ readonly places: ReadonlyMap<string, Place>; readonly againMs: number | undefined }> {
    await this.#o.objects.follow(pod)
    const againMs = await this.#o.tokens.follow(pod)
    const claimed = await this.#o.claims.follow(pod)
    const places = new Map<string, Place>()
    for (const volume of pod.spec.volumes ?? []) {
      const plan = planOf(volume, claimed.get(volume.name))
      const path = await this.#setUpOne(pod, volume, plan, facts)
      places.set(volume.name, { path, readOnly: 'readOnly' in plan && plan.readOnly })
    }
    return { places, againMs }
  }

  /** Removes all that the pod had; repeatable. */
  async tearDown(uid: string): Promise<void> {
    const folders = [this.folderOf(uid), join(this.#o.runFolder, uid)]
    // Deepest first, and all of them: to delete below a mount would delete what it shows.
    const below = mounts().filter(({ target }) => folders.some((folder) => target.startsWith(`${folder}/`)))
    for (const { target } of below.toReversed()) unmount(target)
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
    this.#o.objects.release(uid)
    this.#o.tokens.release(uid)
    this.#o.claims.release(uid)
  }

  async #setUpOne(pod: Stored<Pod>, volume: Volume, plan: VolumePlan, facts: PodFacts): Promise<string> {
    const group = pod.spec.securityContext?.fsGroup
    switch (plan.kind) {
      case 'emptyDir':
        return this.#emptyDir(pod.metadata.uid, volume.name, plan, group)
      case 'hostPath':
        return hostPath(volume.name, plan)
      case 'local':
        return local(volume.name, plan, group)
      case 'nfs': {
        const path = this.#place(pod.metadata.uid, 'nfs', volume.name, false)
        await mountNfs(path, plan).catch((error: unknown) => {
          throw new VolumeError(volume.name, messageOf(error))
        })
        return path
      }
      case 'payload':
        return this.#payload(pod, volume, plan, facts, group)
      case 'unsupported':
        throw new VolumeError(volume.name, plan.message)
    }
  }

  #place(uid: string, plugin: string, name: string, inMemory: boolean): string {
    const root = inMemory ? this.#o.runFolder : this.#o.stateFolder
    return join(root, uid, 'volumes', pluginFolder(plugin), name)
  }

  #emptyDir(
    uid: string,
    name: string,
    { inMemory, sizeBytes }: Extract<VolumePlan, { kind: 'emptyDir' }>,
    group: number | undefined,
  ): string {
    const path = this.#place(uid, 'empty-dir', name, inMemory)
    const mode = group === undefined ? 0o777 : 0o2777
    if (!existsSync(path)) {
      mkdirSync(`${path}.new`, { recursive: true })
      chmodSync(`${path}.new`, mode)
      if (group !== undefined) chownSync(`${path}.new`, 0, group)
      renameSync(`${path}.new`, path)
    }
    if (inMemory && !mounts().some(({ target }) => target === path)) {
      const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`
      mountTmpfs(path, `mode=${mode.toString(8)},gid=${group ?? 0}${size}`)
    }
    return path
  }

  #payload(
    pod: Stored<Pod>,
    volume: Volume,
    { plugin, secret }: Extract<VolumePlan, { kind: 'payload' }>,
    facts: PodFacts,
    group: number | undefined,
  ): string {
    const { objects, tokens, clock, allocatable } = this.#o
    const { uid, namespace } = pod.metadata
    const planned = planPayload(volume, {
      pod,
      facts,
      allocatable: allocatable(),
      lookup: objects.lookupIn(namespace),
      token: (audience) => tokens.get(uid, audience),
    })
    if (planned?.kind !== 'payload') throw new VolumeError(volume.name, planned?.message ?? 'nothing to mount')
    const path = this.#place(uid, plugin, volume.name, secret)
    writePayload(path, planned.payload, clock.now(), group)
    return path
  }
}

/** Where a volume is on this machine. */
export type Place = { readonly path: string; readonly readOnly: boolean }

function planOf(volume: Volume, claimed: Claimed | undefined): VolumePlan {
  if (claimed === undefined) return planVolume(volume)
  if ('problem' in claimed) throw new VolumeError(volume.name, claimed.problem)
  return planClaimed(claimed.volume, volume.persistentVolumeClaim?.readOnly ?? false)
}

/** Its files belong to the pod's group; where the folder itself does already, they were given to it before. */
function local(name: string, { path }: Extract<VolumePlan, { kind: 'local' }>, group: number | undefined): string {
  if (kindOfFile(path) === 'missing') throw new VolumeError(name, `path ${JSON.stringify(path)} does not exist`)
  if (group !== undefined && statSync(path).gid !== group) giveTo(path, group)
  return path
}

function giveTo(path: string, group: number): void {
  const { mode } = lstatSync(path)
  if ((mode & 0o170000) === 0o120000) return lchownSync(path, lstatSync(path).uid, group)
  const isFolder = (mode & 0o170000) === 0o040000
  if (isFolder) for (const name of readdirSync(path)) giveTo(join(path, name), group)
  // The folder itself last: it says that all of it is done.
  chmodSync(path, (mode & 0o7777) | (isFolder ? 0o2070 : 0o060))
  chownSync(path, statSync(path).uid, group)
}

function hostPath(name: string, { path, type }: Extract<VolumePlan, { kind: 'hostPath' }>): string {
  const problem = hostPathProblem(path, type, kindOfFile(path))
  if (problem !== undefined) throw new VolumeError(name, problem)
  if (type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true, mode: 0o755 })
  if (type === 'FileOrCreate' && !existsSync(path)) writeFileSync(path, '', { mode: 0o644 })
  return path
}

function kindOfFile(path: string): Parameters<typeof hostPathProblem>[2] {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return 'missing'
  if (found.isDirectory()) return 'directory'
  if (found.isSocket()) return 'socket'
  if (found.isCharacterDevice()) return 'charDevice'
  return found.isBlockDevice() ? 'blockDevice' : 'file'
}

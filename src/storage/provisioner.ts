// effect: files, mounts, requests to the API server
// The provisioner of one node: makes volumes for claims, keeps them mounted, grows them, and takes them away.

import {
  namespaces,
  type Node,
  nodes as nodeResource,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
} from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { type StorageClass, storageClasses } from '#api/storage.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { cleanupFinalizer } from '#api/volume/marks.ts'
import { isAlreadyExists } from '#client/client.ts'
import { type Act, eventAbout, patchOf } from '#client/control/act.ts'
import type { Controller, ControllerContext } from '#client/control/controller.ts'
import type { Store } from '#client/control/store.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { volumeNameOf } from '#storage/marks.ts'
import {
  type Claim,
  type ClaimView,
  hostnameOf,
  planClaim,
  planVolume,
  planVolumeObject,
  type Volume,
} from '#storage/plan.ts'
import { type ExpansionStep, failureOf, statusOf } from '#storage/expansion.ts'
import { bytesOf, readRequest } from '#storage/request.ts'
import { allStores, storeOf, type Stores } from '#storage/stores.ts'
import type { VolumeStore } from '#storage/volume-store.ts'

export type Settings = { readonly nodeName: string; readonly stores: Stores }
type Context = ControllerContext<Settings>

export const provisioner: Controller<Settings> = {
  name: 'provisioner',
  async start(context) {
    const { caches, settings, signal, log } = context
    const claims = caches.of(persistentVolumeClaims)
    // Most clusters never claim a volume: nothing else is followed before.
    if (allStores(settings.stores).every(({ isUnused }) => isUnused)) await firstOf(claims, signal)
    if (signal.aborted || !(await claimFolders(context))) return
    const volumes = caches.of(persistentVolumes)
    const classes = caches.of(storageClasses)
    const machines = caches.of(nodeResource)
    const writer = context.writer(`fairway/local_${settings.nodeName}`)
    const here = () => machines.get(settings.nodeName)
    const view: ClaimView = {
      node: settings.nodeName,
      get nodes() {
        return [...machines.values()].filter(isReady).map(({ metadata }) => metadata.name)
      },
      storageClass: (name) => classes.get(name),
      volume: (name) => volumes.get(name),
    }
    const say = (acts: readonly Act[]) => writer.perform(acts, signal)

    const queue = context.queue('volumes', 4, async (key) => {
      const name = key.slice(2)
      if (key.startsWith('v ')) {
        const volume = volumes.get(name)
        if (volume) await keepOrDelete(volume, settings, say)
        return
      }
      const claim = claims.get(name)
      if (claim === undefined) return
      const step = planClaim(claim, view)
      if (step.kind === 'provision') await provision(context, claim, step.storageClass, here(), say)
      if (step.kind === 'expand') await expand(claim, step.volume, step.step, context, say)
    })
    claims.listen(({ kind, key }) => {
      if (kind !== 'removed') queue.mark(`c ${key}`)
    })
    volumes.listen(({ kind, key, value }) => {
      if (kind !== 'removed') queue.mark(`v ${key}`)
      const { claimRef } = value.spec
      if (claimRef) queue.mark(`c ${claimRef.namespace}/${claimRef.name}`)
    })
    classes.listen(() => {
      for (const key of [...claims.values()].filter(({ spec }) => !spec.volumeName).map(keyOf)) queue.mark(`c ${key}`)
    })
    await caches.synced()
    for (const store of allStores(settings.stores))
      removeOrphans(store, volumes.values(), claims.values(), (name) =>
        log.info('removed what no claim asks for', { volume: name }),
      )
    await queue.run(signal)
  },
}

/** Resolves when there is one, or the signal is aborted. */
const firstOf = (store: Store<PersistentVolumeClaim>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (store.size > 0 || signal.aborted) return resolve()
    store.listen(() => resolve())
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** Throws UserError where another cluster has its volumes there; false: ended before the server answered. */
async function claimFolders({ client, settings: { stores }, clock, log, signal }: Context): Promise<boolean> {
  for (let pauseMs = 100; !signal.aborted; pauseMs = Math.min(2 * pauseMs, 5000)) {
    try {
      // The UID of kube-system stands for the cluster, as everywhere.
      const { metadata } = await client.get(namespaces, 'kube-system', { signal })
      for (const store of allStores(stores)) {
        const owner = store.claim(metadata?.uid ?? '')
        if (owner !== undefined)
          throw new UserError(`${store.folder} has volumes of another cluster (${owner})`, {
            code: 'OtherCluster',
            remedy: 'give another folder, or remove this one if its data is not wanted any more',
          })
      }
      return true
    } catch (error) {
      if (error instanceof UserError) throw error
      if (!signal.aborted) log.debug('the API server does not answer yet', { err: messageOf(error) })
    }
    await clock.sleep(pauseMs, signal)
  }
  return false
}

async function provision(
  { client, settings: { nodeName, stores }, signal }: Context,
  claim: Claim,
  storageClass: StorageClass,
  node: Stored<Node> | undefined,
  say: (acts: readonly Act[]) => Promise<void>,
): Promise<void> {
  if (node === undefined) return
  const key = keyOf(claim)
  const className = storageClass.metadata?.name ?? ''
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    say([eventAbout(persistentVolumeClaims, claim, type, reason, message)])
  const refuse = (why: string) =>
    tell(
      'Warning',
      'ProvisioningFailed',
      `failed to provision volume with StorageClass ${JSON.stringify(className)}: ${why}`,
    )
  const asked = readRequest(claim, storageClass)
  // What the claim or its class says is changed by people: nothing is tried again before.
  if ('problem' in asked) return refuse(asked.problem)
  const { folder } = asked.request
  const store = folder === undefined ? stores.main : stores.named.get(folder)
  if (store === undefined) {
    const known = [...stores.named.keys()].join(', ') || 'none by name'
    const remedy = `give its provisioner --named-folder ${folder}=PATH, or choose another StorageClass`
    return refuse(`node ${nodeName} has no folder called ${JSON.stringify(folder)}, it has ${known}: ${remedy}`)
  }
  await tell('Normal', 'Provisioning', `External provisioner is provisioning volume for claim ${JSON.stringify(key)}`)
  const name = volumeNameOf(claim.metadata.uid)
  try {
    await store.create(name, asked.request)
  } catch (error) {
    await refuse(messageOf(error))
    throw error
  }
  const place = { hostname: hostnameOf(node), path: store.pathOf(name) }
  await client
    .create(persistentVolumes, planVolumeObject(claim, storageClass, place), { signal })
    .catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error
    })
  await tell('Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
}

/** One step; what it writes brings the next one. */
async function expand(
  claim: Claim,
  volume: Volume,
  step: ExpansionStep,
  { clock, settings: { stores } }: Context,
  say: (acts: readonly Act[]) => Promise<void>,
): Promise<void> {
  const storage = claim.spec.resources?.requests?.['storage'] ?? '0'
  const { name } = volume.metadata
  const store = storeIn(stores, volume)
  const now = formatTime(clock.now())
  const status = (of: object): Act => patchOf(persistentVolumeClaims, claim, { status: of }, 'status')
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): Act =>
    eventAbout(persistentVolumeClaims, claim, type, reason, message)
  const after = statusOf(claim, volume, step, now)
  const tried = async (type: 'ControllerResizeError' | 'NodeResizeError', reason: string, work: () => unknown) => {
    try {
      await work()
    } catch (error) {
      const message = `error expanding volume ${JSON.stringify(keyOf(claim))}: ${messageOf(error)}`
      const failure = failureOf(claim, type, message, now)
      await say([...(failure === undefined ? [] : [status(failure)]), tell('Warning', reason, message)])
      throw error
    }
  }
  switch (step) {
    case 'nothing':
      return
    case 'announce':
      return say([status(after), tell('Normal', 'Resizing', `External resizer is resizing volume ${name}`)])
    case 'grow volume':
      await tried('ControllerResizeError', 'VolumeResizeFailed', () => store.grow(name, bytesOf(storage)))
      return say([patchOf(persistentVolumes, volume, { spec: { capacity: { storage } } })])
    case 'announce file system':
      return say([
        status(after),
        tell('Normal', 'FileSystemResizeRequired', 'Require file system resize of volume on node'),
      ])
    case 'grow file system':
      await tried('NodeResizeError', 'FileSystemResizeFailed', () => store.growFileSystem(name))
      return say([
        status(after),
        tell('Normal', 'FileSystemResizeSuccessful', `volume ${name} has been expanded to ${storage}`),
      ])
    case 'settle':
      return say([status(after)])
  }
}

const storeIn = (stores: Stores, { spec }: Volume): VolumeStore => storeOf(stores, spec.local?.path ?? '')

async function keepOrDelete(
  volume: Volume,
  { nodeName, stores }: Settings,
  say: (acts: readonly Act[]) => Promise<void>,
): Promise<void> {
  const { name } = volume.metadata
  const store = storeIn(stores, volume)
  const warn = (reason: string, error: unknown) =>
    say([eventAbout(persistentVolumes, volume, 'Warning', reason, messageOf(error))])
  const step = planVolume(volume, nodeName)
  switch (step) {
    case 'nothing':
      return
    case 'keep':
    case 'keep for good':
      try {
        await store.mount(name)
        store.publish(name)
      } catch (error) {
        await warn('VolumeMissing', error)
        throw error
      }
      return say(step === 'keep' ? [] : withoutFinalizer(volume))
    case 'delete': {
      try {
        store.remove(name)
      } catch (error) {
        await warn('VolumeFailedDelete', error)
        throw error
      }
      const { uid, deletionTimestamp } = volume.metadata
      // Its deletion is heard of, and then there is nothing left to remove but our mark.
      if (deletionTimestamp === undefined)
        return say([{ kind: 'delete', resource: persistentVolumes, target: { name, uid } }])
      return say(withoutFinalizer(volume))
    }
  }
}

function withoutFinalizer(volume: Volume): readonly Act[] {
  const others = (volume.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer)
  return [patchOf(persistentVolumes, volume, { metadata: { finalizers: others.length > 0 ? others : null } })]
}

/** Made for a claim that was gone before its volume was written down. */
function removeOrphans(
  store: VolumeStore,
  volumes: Iterable<Volume>,
  claims: Iterable<Claim>,
  onRemoved: (name: string) => void,
): void {
  const known = new Set([
    ...[...volumes].map(({ metadata }) => metadata.name),
    ...[...claims].map(({ metadata }) => volumeNameOf(metadata.uid)),
  ])
  for (const name of store.unpublished()) {
    if (known.has(name)) continue
    store.remove(name)
    onRemoved(name)
  }
}

const isReady = ({ metadata, status }: Stored<Node>): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')

// effect: the runtime's folders, mounts and processes
// The runtime by crun and conmon: what it needs of the machine, what it finds of an agent before it, and its parts put
// together behind the interface that the agent knows.
import { mkdirSync, rmSync, statfsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import { connectInNetns } from '#kernel/connect-in-netns.ts'
import { mountTmpfs, unmount } from '#kernel/mount.ts'
import { deleteNetns } from '#kernel/netns.ts'
import { collect, ensureBridge } from '#node/cni/attach.ts'
import { LeaseStore } from '#node/cni/lease-store.ts'
import type { Network } from '#node/cni/network.ts'
import { findImported } from '#node/images/imported-config.ts'
import { resolveImage, type ImageConfig, type ResolvedImage } from '#node/images/resolve.ts'
import { RuntimeError, type ImageStatus, type Runtime } from '#node/runtime.ts'
import { attach } from '#node/sandbox/attach.ts'
import { ensureBaseLayer } from '#node/sandbox/build-base.ts'
import { Containers } from '#node/sandbox/containers.ts'
import { Crun } from '#node/sandbox/crun.ts'
import { exec, execSync } from '#node/sandbox/exec.ts'
import { isSandboxPin, layoutOf, netnsFolder, netnsPath, type Layout } from '#node/sandbox/layout.ts'
import { loadContainers, loadSandboxes, namesIn } from '#node/sandbox/records.ts'
import { Sandboxes } from '#node/sandbox/sandboxes.ts'

export type RuntimeOptions = {
  /** on disk: what outlives a reboot */
  readonly stateFolder: string
  /** on a tmpfs of this mount namespace */
  readonly runFolder: string
  /** folders of this machine that pods shall not see */
  readonly secretFolders: readonly string[]
  /** imported images; undefined: there are none */
  readonly imageFolder: string | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** The runtime, and where to tell it the node's network once that is known. */
export type SandboxRuntime = Runtime & { setNetwork(network: Network): void }

/** Throws a UserError where a program is missing. */
export async function openSandboxRuntime(options: RuntimeOptions): Promise<SandboxRuntime> {
  const { stateFolder, runFolder, secretFolders, imageFolder, clock, log } = options
  const layout = layoutOf(stateFolder, runFolder)
  prepare(layout)
  ensureBaseLayer(layout.base, [...secretFolders, stateFolder, runFolder])
  const crun = new Crun(layout)
  const leases = new LeaseStore(layout.leases)
  const listeners = new Set<(sandboxId: string) => void>()
  const onChange = (sandboxId: string) => {
    for (const listener of listeners) listener(sandboxId)
  }
  let network: Network | undefined
  const sandboxes = new Sandboxes({ layout, leases, clock, network: () => network, onChange })
  const containers = new Containers({ layout, crun, clock, program: ownProgram(), onChange })
  for (const record of loadSandboxes(layout)) sandboxes.adopt(record)
  for (const record of loadContainers(layout)) await containers.adopt(record)
  await dropStrangers(layout, { sandboxes, containers, crun, log })

  const containersOf = (sandboxId: string) => containers.list().filter((one) => one.sandboxId === sandboxId)
  const stopPodSandbox = async (id: string) => {
    await Promise.all(containersOf(id).map((container) => containers.stop(container.id, 0)))
    sandboxes.stop(id)
  }
  const version = `crun://${await crun.version()}`
  return {
    version,
    setNetwork(wanted) {
      ensureBridge(wanted)
      network = wanted
      const live = new Set(sandboxes.records().flatMap(({ id, state }) => (state === 'stopped' ? [] : [id])))
      const stale = collect(wanted, leases, ({ containerId }) => live.has(containerId))
      if (stale.length > 0) log.info('Gave back addresses that no pod has', { addresses: stale })
    },
    runPodSandbox: async (config) => sandboxes.run(config),
    stopPodSandbox,
    async removePodSandbox(id) {
      await Promise.all(containersOf(id).map((container) => containers.remove(container.id)))
      sandboxes.remove(id)
    },
    podSandboxStatus: (id) => sandboxes.list().find((sandbox) => sandbox.id === id),
    listPodSandboxes: () => sandboxes.list(),
    async createContainer(sandboxId, config) {
      const sandbox = sandboxes.record(sandboxId)
      if (sandbox?.state !== 'ready') throw new RuntimeError('NotFound', `there is no ready sandbox ${sandboxId}`)
      const hasCommand = config.command.length > 0
      const image = needImage(imageFolder, config.image, hasCommand)
      const netns = sandbox.config.hostNetwork ? undefined : netnsPath(sandboxId)
      return containers.create(sandbox, config, image, netns)
    },
    startContainer: (id) => containers.start(id),
    stopContainer: (id, timeoutMs) => containers.stop(id, timeoutMs),
    removeContainer: (id) => containers.remove(id),
    containerStatus: (id) => containers.status(id),
    listContainers: () => containers.list(),
    reopenContainerLog: (id) => containers.reopenLog(id),
    execSync: (id, command, timeoutMs) => execSync({ crun, layout, clock }, id, command, timeoutMs),
    exec: (id, command, o) => exec({ crun, layout, clock }, id, command, o),
    attach: (id, o) => attach(layout, id, o),
    portForward(sandboxId, port) {
      const sandbox = sandboxes.record(sandboxId)
      if (sandbox?.state !== 'ready') throw new RuntimeError('NotFound', `there is no ready sandbox ${sandboxId}`)
      return connectInNetns(sandbox.config.hostNetwork ? undefined : netnsPath(sandboxId), port)
    },
    imageStatus: async (image, hasCommand) => statusOf(lookUp(imageFolder, image, hasCommand)),
    pullImage: async (image, hasCommand) => viewImage(needImage(imageFolder, image, hasCommand)),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** What crun and conmon expect to be there. */
function prepare(layout: Layout): void {
  for (const folder of [layout.sandboxes, layout.containers, layout.exits, layout.leases])
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const folder of [layout.crunRoot, layout.bundles, layout.sandboxFilesRoot, layout.sockets, netnsFolder])
    mkdirSync(folder, { recursive: true })
  // crun looks at what is mounted here even where it manages no control groups; in a fresh /sys that is nothing.
  if (statfsSync('/sys/fs/cgroup').type === sysfsMagic) mountTmpfs('/sys/fs/cgroup')
}
const sysfsMagic = 0x62656572

const ownProgram = () => ({
  node: process.execPath,
  checkout: fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, ''),
})

type Parts = {
  readonly sandboxes: Sandboxes
  readonly containers: Containers
  readonly crun: Crun
  readonly log: Logger
}

/** Takes away what belongs to nothing that is known: a kill at the wrong moment leaves such things. */
async function dropStrangers(layout: Layout, { sandboxes, containers, crun, log }: Parts): Promise<void> {
  const live = new Set(sandboxes.records().flatMap(({ id, state }) => (state === 'stopped' ? [] : [id])))
  const pins = new Set([...live].map(netnsPath))
  for (const name of namesIn(netnsFolder).filter(isSandboxPin))
    if (!pins.has(`${netnsFolder}/${name}`) && deleteNetns(`${netnsFolder}/${name}`))
      log.info('Removed a network namespace that no pod has', { name })
  for (const id of namesIn(layout.sandboxFilesRoot).filter((name) => !live.has(name))) {
    unmount(`${layout.sandboxFiles(id)}/shm`)
    rmSync(layout.sandboxFiles(id), { recursive: true, force: true })
  }
  const isStranger = (id: string) => containers.status(id) === undefined
  for (const id of namesIn(layout.crunRoot).filter(isStranger)) {
    log.info('Removing a container that has no record', { id })
    await crun.run('delete', '--force', id)
  }
  for (const id of namesIn(layout.bundles).filter(isStranger)) {
    unmount(layout.rootfs(id))
    rmSync(layout.bundle(id), { recursive: true, force: true })
  }
  for (const folder of [layout.containers, layout.exits])
    for (const id of namesIn(folder).filter(isStranger)) rmSync(`${folder}/${id}`, { recursive: true, force: true })
}

/** What was imported comes before what is built in. */
function lookUp(folder: string | undefined, image: string, hasCommand: boolean): ResolvedImage {
  const imported = folder === undefined ? undefined : findImported(folder, image)
  return imported ? { kind: 'image', config: imported } : resolveImage(image, hasCommand)
}

const statusOf = (resolved: ResolvedImage): ImageStatus | undefined =>
  resolved.kind === 'image' ? viewImage(resolved.config) : undefined

function needImage(folder: string | undefined, image: string, hasCommand: boolean): ImageConfig {
  const resolved = lookUp(folder, image, hasCommand)
  if (resolved.kind !== 'image') throw new RuntimeError('NotFound', resolved.message)
  return resolved.config
}

const viewImage = ({ ref, note, user, userName }: ImageConfig): ImageStatus => ({
  ref,
  ...(note && { note }),
  sizeBytes: 0,
  user: userName ?? user,
})

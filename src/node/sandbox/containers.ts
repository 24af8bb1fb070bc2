// effect: container processes, mounts and files
// The containers of the runtime: made, started, stopped, forgotten. A container's end is heard from the kernel when its
// conmon exits; the exit code is in the file that conmon left.
import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import { mountOverlay, unmount } from '#kernel/mount.ts'
import { identify, whenExited } from '#kernel/process.ts'
import { podCache, type ImageConfig } from '#node/images/resolve.ts'
import {
  RuntimeError,
  type ContainerConfig,
  type ContainerState,
  type ContainerStatus,
  unseenEnd,
} from '#node/runtime.ts'
import { capabilitiesOf } from '#node/sandbox/capabilities.ts'
import { readPid, type Crun } from '#node/sandbox/crun.ts'
import type { Layout } from '#node/sandbox/layout.ts'
import { planOciSpec } from '#node/sandbox/oci.ts'
import { saveContainer, type ContainerRecord, type SandboxRecord } from '#node/sandbox/records.ts'

export type ContainersOptions = {
  readonly layout: Layout
  readonly crun: Crun
  readonly clock: Clock
  readonly program: { readonly node: string; readonly checkout: string }
  readonly onChange: (sandboxId: string) => void
}

/** One container in memory: its record, and what is going on with it. */
type Entry = {
  record: ContainerRecord
  /** resolves when the record has its end; undefined before conmon runs and after the end */
  ended?: Promise<void>
  /** of its first process, while it runs */
  pid?: number | undefined
  isStopping?: boolean
}

export class Containers {
  readonly #o: ContainersOptions
  readonly #entries = new Map<string, Entry>()
  readonly #capabilities = capabilitiesOf(/^CapEff:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!)

  constructor(options: ContainersOptions) {
    this.#o = options
  }

  list(): readonly ContainerStatus[] {
    return [...this.#entries.values()].map(statusOf)
  }

  status(id: string): ContainerStatus | undefined {
    const entry = this.#entries.get(id)
    return entry && statusOf(entry)
  }

  /** Takes up a container of an earlier agent. It is dropped where it never ran. */
  async adopt(record: ContainerRecord): Promise<void> {
    const { layout, crun, clock } = this.#o
    this.#entries.set(record.id, { record })
    if (record.end !== undefined) return this.#dismantle(record.id)
    const conmon = readPid(layout.conmonPidFile(record.id))
    const isWatched = conmon !== undefined && identify(conmon) !== undefined && isConmonOf(conmon, record.id)
    if (record.startedAt === undefined) {
      // Killed between making and starting it, or between starting it and noting that.
      if (!isWatched && !existsSync(layout.exit(record.id))) return this.remove(record.id)
      if ((await crun.stateOf(record.id)) === 'created') return this.remove(record.id)
      this.#update(record.id, { startedAt: Math.min(clock.now(), exitTime(layout, record.id) ?? Infinity) })
    }
    if (isWatched) this.#watch(record.id, conmon)
    else await this.#finish(record.id)
  }

  async create(
    sandbox: SandboxRecord,
    config: ContainerConfig,
    image: ImageConfig,
    netns: string | undefined,
  ): Promise<string> {
    const { layout, crun, clock, program } = this.#o
    const id = randomBytes(32).toString('hex')
    const logPath = join(sandbox.config.logDirectory, config.logPath)
    const record: ContainerRecord = {
      id,
      sandboxId: sandbox.id,
      config,
      createdAt: clock.now(),
      imageRef: image.ref,
      ...(image.stopSignal !== undefined && { stopSignal: image.stopSignal }),
      logPath,
    }
    // The record comes first, so that whatever a kill leaves behind belongs to something known.
    saveContainer(layout, record)
    this.#entries.set(id, { record })
    try {
      mountRootfs(layout, id, image)
      if (image.needsCheckout) mkdirSync(join(program.checkout, podCache), { recursive: true })
      makeFolder(layout.rootfs(id), config.workingDir || image.workingDir)
      const spec = planOciSpec({
        config,
        image,
        sandbox: sandbox.config,
        netns,
        rootfs: layout.rootfs(id),
        sandboxFiles: layout.sandboxFiles(sandbox.id),
        capabilities: this.#capabilities,
        program,
      })
      writeFileSync(join(layout.bundle(id), 'config.json'), JSON.stringify(spec))
      await crun.create({ id, logPath, tty: config.tty, stdin: config.stdin, stdinOnce: config.stdinOnce })
    } catch (error) {
      await this.remove(id)
      throw error
    }
    this.#watch(id, readPid(layout.conmonPidFile(id)))
    return id
  }

  async start(id: string): Promise<void> {
    this.#need(id)
    try {
      await this.#o.crun.run('start', id)
    } catch (error) {
      // The container stays, as one that could not be started, so that its end can be told.
      const reason = { exitCode: 128, reason: 'StartError', message: messageOf(error) }
      this.#update(id, { end: { finishedAt: this.#o.clock.now(), ...reason } })
      await this.#dismantle(id)
      throw error
    }
    if (this.#need(id).record.startedAt === undefined) this.#update(id, { startedAt: this.#o.clock.now() })
  }

  /** Asks it to stop and kills it after `timeoutMs`; another call with less time hastens this one. */
  async stop(id: string, timeoutMs: number): Promise<void> {
    const entry = this.#need(id)
    if (entry.ended === undefined || entry.record.end !== undefined) return
    const isFirst = !entry.isStopping
    entry.isStopping = true
    if (isFirst && timeoutMs > 0)
      await this.#signal(id, entry.record.config.stopSignal ?? entry.record.stopSignal ?? 'SIGTERM')
    const over = new AbortController()
    const ended = entry.ended.then(() => over.abort())
    await this.#o.clock.sleep(timeoutMs, over.signal)
    if (!over.signal.aborted) await this.#signal(id, 'SIGKILL')
    await ended
  }

  /** conmon opens the log anew, under the name that it knows. */
  async reopenLog(id: string): Promise<void> {
    if (this.#need(id).ended !== undefined) await writeFile(this.#o.layout.control(id), '2 0 0\n')
  }

  /** Kills and forgets it, its files and its log; repeatable. */
  async remove(id: string): Promise<void> {
    const { layout } = this.#o
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    await this.#dismantle(id)
    rmSync(entry.record.logPath, { force: true })
    // The record goes last: whatever is left before that is found again by it.
    for (const path of [layout.upper(id), layout.work(id), layout.exit(id), layout.container(id)])
      // Its monitor may still write a last file into a folder that is being emptied.
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 })
    this.#entries.delete(id)
    this.#o.onChange(entry.record.sandboxId)
  }

  #need(id: string): Entry {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new RuntimeError('NotFound', `there is no container ${id}`)
    return entry
  }

  #update(id: string, part: Partial<ContainerRecord>): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.record = { ...entry.record, ...part }
    saveContainer(this.#o.layout, entry.record)
    this.#o.onChange(entry.record.sandboxId)
  }

  async #signal(id: string, signal: string): Promise<void> {
    // It may have ended in this very moment; the end is heard otherwise.
    await this.#o.crun.run('kill', id, signal).catch(() => undefined)
  }

  #watch(id: string, conmon: number | undefined): void {
    const entry = this.#need(id)
    const process = conmon === undefined ? undefined : identify(conmon)
    const gone = process === undefined ? Promise.resolve() : whenExited(process)
    entry.pid = readPid(this.#o.layout.pidFile(id))
    entry.ended = gone.then(() => this.#finish(id))
  }

  /** conmon is gone: notes the end, and takes down what is of no more use. */
  async #finish(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.record.end !== undefined) return
    const { layout, clock } = this.#o
    const finishedAt = exitTime(layout, id) ?? clock.now()
    const startedAt = Math.min(entry.record.startedAt ?? finishedAt, finishedAt)
    this.#update(id, { startedAt, end: { finishedAt, ...readExit(layout, id) } })
    await this.#dismantle(id)
  }

  /** Kills what runs, and takes the root file system away. */
  async #dismantle(id: string): Promise<void> {
    const { layout, crun } = this.#o
    if (existsSync(`${layout.crunRoot}/${id}`)) await crun.run('delete', '--force', id).catch(() => undefined)
    unmount(layout.rootfs(id))
    await rm(layout.bundle(id), { recursive: true, force: true, maxRetries: 10, retryDelay: 10 })
  }
}

function mountRootfs(layout: Layout, id: string, { layers }: ImageConfig): void {
  for (const path of [layout.upper(id), layout.work(id), layout.rootfs(id)]) mkdirSync(path, { recursive: true })
  const lower = layers ?? [layout.base, '/']
  mountOverlay(layout.rootfs(id), { lower, upper: layout.upper(id), work: layout.work(id) })
}

/** Makes a folder of a container from outside: not through a link, which would mean another place here. */
function makeFolder(root: string, path: string): void {
  let at = root
  for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
    at = join(at, name)
    const found = lstatSync(at, { throwIfNoEntry: false })
    if (found === undefined) mkdirSync(at)
    else if (!found.isDirectory()) return
  }
}

/** Process numbers are used again: conmon names its container on its command line. */
function isConmonOf(pid: number, id: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(id)
  } catch {
    return false
  }
}

const exitTime = (layout: Layout, id: string) => statSync(layout.exit(id), { throwIfNoEntry: false })?.mtimeMs

function readExit(layout: Layout, id: string): { exitCode: number; reason: string; message?: string } {
  try {
    const exitCode = Number.parseInt(readFileSync(layout.exit(id), 'utf8'), 10)
    return { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' }
  } catch {
    const message = 'the exit code is not known: the process that watched the container was killed'
    return { exitCode: 255, reason: unseenEnd, message }
  }
}

function statusOf({ record, pid }: Entry): ContainerStatus {
  const { id, sandboxId, config, createdAt, startedAt, end, imageRef, logPath } = record
  const state: ContainerState = end ? 'exited' : startedAt === undefined ? 'created' : 'running'
  return {
    id,
    sandboxId,
    metadata: config.metadata,
    state,
    createdAt,
    ...(startedAt !== undefined && { startedAt }),
    ...end,
    ...(state === 'running' && pid !== undefined && { pid }),
    image: config.image,
    imageRef,
    logPath,
    mounts: config.mounts,
    tty: config.tty,
    stdin: config.stdin,
    labels: config.labels,
    annotations: config.annotations,
  }
}

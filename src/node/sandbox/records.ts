// effect: files of the runtime's records
// What the runtime remembers of sandboxes and containers: one JSON file each, replaced as a whole. What can be seen on
// the machine (a process, an exit code) is never written down but looked at.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ContainerConfig, SandboxConfig } from '#node/runtime.ts'
import type { Layout } from '#node/sandbox/layout.ts'

export type SandboxRecord = {
  readonly id: string
  readonly config: SandboxConfig
  readonly createdAt: number
  /** creating: its network is not finished; stopped: it is taken down for good */
  readonly state: 'creating' | 'ready' | 'stopped'
  readonly ips: readonly string[]
}

export type ContainerRecord = {
  readonly id: string
  readonly sandboxId: string
  readonly config: ContainerConfig
  readonly createdAt: number
  readonly imageRef: string
  readonly logPath: string
  /** the image's */
  readonly stopSignal?: string
  /** once it has been started */
  readonly startedAt?: number
  /** once it has ended */
  readonly end?: {
    readonly finishedAt: number
    readonly exitCode: number
    readonly reason: string
    readonly message?: string
  }
}

export const saveSandbox = (layout: Layout, record: SandboxRecord): void =>
  replaceFile(layout.sandboxRecord(record.id), JSON.stringify(record))
export const saveContainer = (layout: Layout, record: ContainerRecord): void =>
  replaceFile(layout.containerRecord(record.id), JSON.stringify(record))

export const loadSandboxes = (layout: Layout): readonly SandboxRecord[] =>
  namesIn(layout.sandboxes)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readJson<SandboxRecord>(`${layout.sandboxes}/${name}`) ?? [])

export const loadContainers = (layout: Layout): readonly ContainerRecord[] =>
  namesIn(layout.containers).flatMap((id) => readJson<ContainerRecord>(layout.containerRecord(id)) ?? [])

export const removeSandboxRecord = (layout: Layout, id: string): void =>
  rmSync(layout.sandboxRecord(id), { force: true })

/** Writes aside and renames, so that a reader and a kill find the old text or the new one. */
export function replaceFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** undefined where the file is missing, or torn by a power failure. */
function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

// effect: files, loop devices, mounts (by mkfs, mount, resize2fs, xfs_growfs)
// Volumes on this machine's disk. An image is a sparse file with a file system in it, mounted by a loop device that the
// kernel frees when the mount goes. Everything may be done twice, and a crash at any moment leaves nothing that looks
// finished and is not: files are made under another name and renamed.
import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { mounts, unmount } from '#kernel/mount.ts'
import type { Request } from '#storage/request.ts'

const run = promisify(execFile)
const limitMs = 120_000
const imageEnding = '.img'

/** A program that failed; the message is its own. */
export class VolumeStoreError extends Error {
  readonly code = 'VolumeStoreError'
}

export class VolumeStore {
  readonly #folder: string

  /** `folder`: where everything lies. */
  constructor(folder: string) {
    this.#folder = folder
    for (const part of ['images', 'volumes', 'published'])
      mkdirSync(join(folder, part), { recursive: true, mode: 0o711 })
  }

  get folder(): string {
    return this.#folder
  }

  /** Nobody's volumes have ever been here. */
  get isUnused(): boolean {
    return !existsSync(join(this.#folder, 'cluster'))
  }

  /** Whose volumes these are: a folder is never used for two clusters. Answers undefined where they are ours. */
  claim(clusterUid: string): string | undefined {
    const path = join(this.#folder, 'cluster')
    if (!existsSync(path)) writeFileSync(path, `${clusterUid}\n`)
    const owner = readFileSync(path, 'utf8').trim()
    return owner === clusterUid ? undefined : owner
  }

  /** Whether a path that pods get is one of this folder's. */
  holds(path: string): boolean {
    return path.startsWith(`${this.#folder}/`)
  }

  /** What pods get. It lies inside the mount, so that it is not there while nothing is mounted. */
  pathOf(name: string): string {
    return join(this.#mountOf(name), 'data')
  }

  /** From now on the API server knows of it, and only that may take it away. */
  publish(name: string): void {
    writeFileSync(join(this.#folder, 'published', name), '')
  }

  /** Names of those that nobody was told of. */
  unpublished(): readonly string[] {
    const images = readdirSync(join(this.#folder, 'images')).map((file) => file.replace(/\.img(\.new)?$/, ''))
    const all = new Set([...images, ...readdirSync(join(this.#folder, 'volumes'))])
    return [...all].filter((name) => !existsSync(join(this.#folder, 'published', name)))
  }

  /** Makes the volume where it is missing, and mounts it. */
  async create(name: string, { type, fileSystem, sizeBytes }: Request): Promise<void> {
    if (type === 'directory') return this.#open(name)
    const image = this.#imageOf(name)
    if (!existsSync(image)) {
      const fresh = `${image}.new`
      rmSync(fresh, { force: true })
      writeFileSync(fresh, '', { mode: 0o600 })
      truncateSync(fresh, sizeBytes)
      await this.#run(makers[fileSystem](fresh))
      renameSync(fresh, image)
    }
    await this.mount(name)
    this.#open(name)
  }

  /** After a start; throws where neither an image nor a folder is there. */
  async mount(name: string): Promise<void> {
    const image = this.#imageOf(name)
    const path = this.#mountOf(name)
    if (!existsSync(image)) {
      if (existsSync(this.pathOf(name))) return
      throw new VolumeStoreError(
        `the volume ${name} is not on this node any more: neither ${image} nor ${path} is there`,
      )
    }
    if (mounts().some(({ target }) => target === path)) return
    mkdirSync(path, { recursive: true })
    // The device goes with its last mount.
    await this.#run(['mount', '-o', 'loop,noatime', image, path])
  }

  /** Makes the image larger, never smaller; a folder has no size. */
  grow(name: string, sizeBytes: number): void {
    const image = this.#imageOf(name)
    if (existsSync(image) && statSync(image).size < sizeBytes) truncateSync(image, sizeBytes)
  }

  /** Makes the file system as large as its image, while it is in use. */
  async growFileSystem(name: string): Promise<void> {
    if (!existsSync(this.#imageOf(name))) return
    await this.mount(name)
    const mounted = mounts().find(({ target }) => target === this.#mountOf(name))
    if (mounted === undefined) throw new VolumeStoreError(`${name} is not mounted`)
    await this.#run(['losetup', '--set-capacity', mounted.source])
    await this.#run(mounted.type === 'xfs' ? ['xfs_growfs', mounted.target] : ['resize2fs', mounted.source])
  }

  /** Takes it away with all that is in it. */
  remove(name: string): void {
    const path = this.#mountOf(name)
    while (unmount(path));
    rmSync(path, { recursive: true, force: true })
    const image = this.#imageOf(name)
    for (const file of [image, `${image}.new`, join(this.#folder, 'published', name)]) rmSync(file, { force: true })
  }

  /** Anyone in a pod may write there. */
  #open(name: string): void {
    const path = this.pathOf(name)
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o777)
  }

  #mountOf(name: string): string {
    return join(this.#folder, 'volumes', name)
  }

  #imageOf(name: string): string {
    return join(this.#folder, 'images', `${name}${imageEnding}`)
  }

  async #run([program, ...words]: readonly string[]): Promise<void> {
    try {
      await run(program!, words, { timeout: limitMs })
    } catch (error) {
      const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
      const why =
        code === 'ENOENT'
          ? `${program} is not installed on this node: apt-get install -y ${packages[program!] ?? program}`
          : `${program} ${words.join(' ')}: ${stderr.trim() || (error as Error).message}${hintFor(program!, stderr)}`
      throw new VolumeStoreError(why, { cause: error })
    }
  }
}

/** The kernel lets only some of root's powers do it. */
const hintFor = (program: string, words: string): string =>
  program === 'resize2fs' && words.includes('Permission denied')
    ? ' (root has no CAP_SYS_RESOURCE here; a class with fsType: xfs can grow without it)'
    : ''

const packages: Readonly<Record<string, string>> = {
  'mkfs.ext4': 'e2fsprogs',
  resize2fs: 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  xfs_growfs: 'xfsprogs',
  losetup: 'mount',
}

/** Everything that was asked for is the user's: no blocks are kept back for root, tables are written when needed. */
const makers = {
  ext4: (file: string) => [
    'mkfs.ext4',
    '-q',
    '-F',
    '-m',
    '0',
    '-E',
    'lazy_itable_init=1,lazy_journal_init=1,nodiscard',
    file,
  ],
  xfs: (file: string) => ['mkfs.xfs', '-q', '-f', '-K', file],
} as const

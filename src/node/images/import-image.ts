// effect: archives, folders of layers, tar
// Brings an image into the store: out of an archive (OCI layout or `docker save`), or a folder that becomes its root. Each
// layer is unpacked into a folder of its own, where no link of another layer can lead it astray; overlayfs puts them
// together. What shall be missing in a layer above is told in overlayfs' own way.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from 'node:fs'
import { closeSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { UserError } from '#daemon/error.ts'
import { makeWhiteout, setFileAttribute } from '#kernel/ffi.ts'
import { toHex } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { ArchiveError, listImages, pickImage, readDefaults } from '#node/images/image-archive.ts'
import { dropLooseLayers, fullName, layerFolder, saveImage, type StoredImage } from '#node/images/image-store.ts'
import { accountsOf } from '#node/images/imported-config.ts'
import { resolveUser } from '#node/images/user.ts'

/** Throws a UserError that says what is wrong with the archive. `path` may be a folder with an OCI layout too. */
export async function importArchive(store: string, image: string, path: string): Promise<StoredImage> {
  const name = nameOf(image)
  if (!existsSync(path)) throw refuse(path, 'there is no such file')
  const draft = newDraft(store)
  try {
    const folder = statSync(path).isDirectory() ? path : await unpackInto(path, join(draft, 'archive'))
    const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as unknown
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch
    const all = listImages(new Set(readdirSync(folder)), read, architecture)
    const picked = pickImage(all, (one) => fullName(one) === name)
    const layers: string[] = []
    for (const layer of picked.layers) layers.push(await unpackLayer(store, draft, join(folder, layer.path)))
    const config = readFileSync(join(folder, picked.config))
    const defaults = readDefaults(JSON.parse(config.toString()))
    return finish(store, { name, id: `sha256:${toHex(sha256(config.toString()))}`, defaults, layers })
  } catch (error) {
    if (error instanceof ArchiveError || error instanceof SyntaxError) throw refuse(path, error.message)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw refuse(path, (error as Error).message)
    throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
    dropLooseLayers(store)
  }
}

/** The folder is copied; the image has no command of its own. */
export async function importFolder(store: string, image: string, folder: string): Promise<StoredImage> {
  const name = nameOf(image)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw refuse(folder, 'there is no such folder')
  const draft = newDraft(store)
  try {
    const copy = join(draft, 'root')
    await run('cp', ['-a', '--reflink=auto', `${folder}/.`, copy])
    const layer = `folder-${Date.now().toString(36)}`
    mkdirSync(dirname(layerFolder(store, layer)), { recursive: true })
    renameSync(copy, layerFolder(store, layer))
    const defaults = readDefaults({ config: { Cmd: ['sh'] } })
    return finish(store, { name, id: `sha256:${toHex(sha256(`${name} ${layer}`))}`, defaults, layers: [layer] })
  } finally {
    rmSync(draft, { recursive: true, force: true })
    dropLooseLayers(store)
  }
}

function finish(store: string, image: Omit<StoredImage, 'sizeBytes'>): StoredImage {
  const { user } = image.defaults
  if (resolveUser(user, accountsOf(store, image.layers)) === undefined)
    throw new UserError(`the image's user "${user}" is not in its /etc/passwd and /etc/group`, { code: 'BadArchive' })
  const sizeBytes = image.layers.reduce((sum, layer) => sum + sizeOf(layerFolder(store, layer)), 0)
  const stored = { ...image, sizeBytes }
  saveImage(store, stored)
  return stored
}

/** Answers the layer's name in the store, which comes of its contents: layers that are there are not unpacked again. */
async function unpackLayer(store: string, draft: string, archive: string): Promise<string> {
  const layer = (await digestOf(archive)).slice(0, 24)
  const target = layerFolder(store, layer)
  if (existsSync(target)) return layer
  const folder = await unpackInto(archive, join(draft, `layer-${layer}`))
  translateWhiteouts(folder)
  mkdirSync(dirname(target), { recursive: true })
  renameSync(folder, target)
  return layer
}

/** `.wh.NAME` says that NAME is missing, `.wh..wh..opq` that the folder shows nothing of the layers below. */
function translateWhiteouts(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) translateWhiteouts(path)
    if (!entry.name.startsWith('.wh.')) continue
    rmSync(path, { force: true, recursive: true })
    if (entry.name === '.wh..wh..opq') setFileAttribute(folder, 'trusted.overlay.opaque', Uint8Array.of(0x79))
    else if (!entry.name.startsWith('.wh..wh.')) makeWhiteout(join(folder, entry.name.slice('.wh.'.length)))
  }
}

/** Unpacks a tar archive, compressed or not, into a new folder. */
async function unpackInto(archive: string, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const words = ['--extract', '--numeric-owner', '--same-permissions', '--xattrs-include=*', '--directory', folder]
  await run('tar', words, feeding(archive)).catch((error: Error) => {
    throw new ArchiveError(`${basename(archive)} cannot be unpacked: ${error.message}`)
  })
  return folder
}

/** Writes an archive, without its compression, to a program. */
function feeding(archive: string): Feed {
  const start = Buffer.alloc(4)
  const file = openSync(archive, 'r')
  readSync(file, start)
  closeSync(file)
  const stream = createReadStream(archive)
  if (start.readUInt16BE() === 0x1f8b) return (to) => pipeline(stream, createGunzip(), to)
  if (start.readUInt32LE() === 0xfd2fb528) return (to) => pipeline(stream, createZstdDecompress(), to)
  return (to) => pipeline(stream, to)
}
type Feed = (to: Writable) => Promise<void>

/** Runs a program to its end; throws with what it said where it fails. */
async function run(program: string, words: readonly string[], feed?: Feed): Promise<void> {
  const child = spawn(program, words, { stdio: [feed ? 'pipe' : 'ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr!.on('data', (text: Buffer) => (said += text.toString()))
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const broken = await feed?.(child.stdin!).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  )
  const status = await ended
  // A program that has read enough, or gives up, closes its input: its exit code tells which.
  const isOver = broken === undefined || ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(broken.code ?? '')
  if (!isOver) throw broken
  if (status !== 0) throw new Error(said.trim().split('\n')[0] || `${program} ended with ${status}`)
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    return sum + (entry.isDirectory() ? sizeOf(path) : entry.isFile() ? lstatSync(path).size : 0)
  }, 0)
}

function newDraft(store: string): string {
  mkdirSync(store, { recursive: true, mode: 0o700 })
  return mkdtempSync(join(store, '.import-'))
}

function nameOf(image: string): string {
  const name = fullName(image)
  if (name !== undefined) return name
  throw new UserError(`no image can be called "${image}"`, {
    code: 'BadName',
    exitCode: 2,
    remedy: 'for example: my-app:1.0 or registry.example.com/team/my-app:1.0',
  })
}

const refuse = (path: string, why: string): UserError =>
  new UserError(`${path}: ${why}`, {
    code: 'BadArchive',
    remedy: 'give a file of `docker save`, an OCI image layout, or a root file system with --rootfs DIR',
  })

// effect: files of imported images
// Images that were imported: one JSON file for each name, and the layers as folders, each once. All nodes of a cluster read
// the same store; only `fairway image` writes it.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageDefaults } from '#node/images/image-archive.ts'
import { parseImageReference } from '#node/images/reference.ts'
import { replaceFile } from '#node/sandbox/records.ts'

export type StoredImage = {
  /** `docker.io/library/nginx:latest` */
  readonly name: string
  /** `sha256:...` of its configuration */
  readonly id: string
  readonly defaults: ImageDefaults
  /** names of folders in layers/, from the lowest up */
  readonly layers: readonly string[]
  readonly sizeBytes: number
}

export const layerFolder = (store: string, layer: string): string => join(store, 'layers', layer)

/** The name in full, as it is looked up; undefined where it is none. */
export function fullName(image: string): string | undefined {
  const reference = parseImageReference(image)
  return reference && `${reference.repository}:${reference.tag}`
}

export function findImage(store: string, image: string): StoredImage | undefined {
  const name = fullName(image)
  return name === undefined ? undefined : readRecord(recordPath(store, name))
}

export const listImages = (store: string): readonly StoredImage[] =>
  recordsIn(store)
    .flatMap((file) => readRecord(join(store, 'names', file)) ?? [])
    .sort((a, b) => (a.name < b.name ? -1 : 1))

export const saveImage = (store: string, image: StoredImage): void =>
  replaceFile(recordPath(store, image.name), JSON.stringify(image))

/** Takes the name away, and layers that no other image has. False where there is no such image. */
export function removeImage(store: string, image: string): boolean {
  const found = findImage(store, image)
  if (found === undefined) return false
  rmSync(recordPath(store, found.name))
  dropLooseLayers(store)
  return true
}

/** Layers that belong to no image, as a broken import leaves them. */
export function dropLooseLayers(store: string): void {
  const used = new Set(listImages(store).flatMap(({ layers }) => layers))
  const folder = join(store, 'layers')
  if (!existsSync(folder)) return
  for (const layer of readdirSync(folder))
    if (!used.has(layer)) rmSync(join(folder, layer), { recursive: true, force: true })
}

const recordPath = (store: string, name: string): string => join(store, 'names', `${encodeURIComponent(name)}.json`)

function recordsIn(store: string): readonly string[] {
  const folder = join(store, 'names')
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : []
}

function readRecord(path: string): StoredImage | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as StoredImage
  } catch {
    return undefined
  }
}

// effect: files of imported images
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findImage, layerFolder } from '#node/images/image-store.ts'
import type { ImageConfig } from '#node/images/resolve.ts'
import { resolveUser } from '#node/images/user.ts'

/** What a container of an imported image finds; undefined where none was imported under that name. */
export function findImported(store: string, image: string): ImageConfig | undefined {
  const found = findImage(store, image)
  if (found === undefined) return undefined
  const { id, defaults, layers } = found
  const user = resolveUser(defaults.user, accountsOf(store, layers))
  if (user === undefined) return undefined
  return {
    ref: id,
    entrypoint: defaults.entrypoint,
    cmd: defaults.cmd,
    env: defaults.env,
    workingDir: defaults.workingDir,
    user: user.uid,
    group: user.gid,
    groups: user.groups,
    home: user.home,
    ...(user.isNamed && { userName: defaults.user.split(':')[0]! }),
    ...(defaults.stopSignal !== undefined && { stopSignal: defaults.stopSignal }),
    layers: layers.map((layer) => layerFolder(store, layer)).toReversed(),
    needsCheckout: false,
  }
}

/** The texts of passwd and group, of the highest layer that has them. */
export function accountsOf(
  store: string,
  layers: readonly string[],
): { readonly passwd: string; readonly group: string } {
  const read = (file: string) => {
    const paths = layers.map((layer) => join(layerFolder(store, layer), 'etc', file))
    const path = paths.findLast((one) => lstatSync(one, { throwIfNoEntry: false })?.isFile())
    return path === undefined ? '' : readFileSync(path, 'utf8')
  }
  return { passwd: read('passwd'), group: read('group') }
}

// effect: folders below volumes
// Where a container sees the pod's volumes. A subPath may not lead out of its volume; what it names is made where it is
// missing.
import { chmodSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Container } from '#api/core.ts'
import { expand } from '#node/pod/expand.ts'
import type { Mount } from '#node/runtime.ts'
import type { Place } from '#node/volumes/pod-volumes.ts'

/** A mount that cannot be had: the container cannot be configured. */
export class MountError extends Error {
  readonly code = 'MountError'
}

const propagations: Readonly<Record<string, Mount['propagation']>> = {
  HostToContainer: 'hostToContainer',
  Bidirectional: 'bidirectional',
}

/** `places`: where each volume is on the machine. */
export function containerMounts(
  container: Container,
  places: ReadonlyMap<string, Place>,
  env: ReadonlyMap<string, string>,
): readonly Mount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const place = places.get(mount.name)
    if (place === undefined)
      throw new MountError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`)
    const subPath = mount.subPathExpr ? expandSubPath(mount.subPathExpr, env) : (mount.subPath ?? '')
    return {
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: subPath === '' ? place.path : subPathOf(place.path, subPath, mount.name, container.name),
      readOnly: place.readOnly || (mount.readOnly ?? false),
      propagation: propagations[mount.mountPropagation ?? ''] ?? 'private',
    }
  })
}

function expandSubPath(text: string, env: ReadonlyMap<string, string>): string {
  const missing = [...text.matchAll(/\$\(([^)]+)\)/g)].map(([, name]) => name!).filter((name) => !env.get(name))
  if (missing.length > 0) throw new MountError(`missing value for ${missing.join(', ')}`)
  return expand(text, env)
}

function subPathOf(volume: string, subPath: string, volumeName: string, containerName: string): string {
  const fail = (what: string) =>
    new MountError(`failed to ${what} subPath for volumeMount "${volumeName}" of container "${containerName}"`)
  const parts = subPath.split('/').filter((part) => part !== '')
  if (subPath.startsWith('/') || parts.includes('..')) throw fail('prepare')
  const root = realpathSync(volume)
  const isInside = (path: string) => path === root || path.startsWith(`${root}/`)
  let current = root
  for (const part of parts) {
    const next = join(current, part)
    // Step by step, so that nothing is ever made behind a link that leads out.
    const isThere = statSync(next, { throwIfNoEntry: false }) !== undefined
    if (!isThere) {
      mkdirSync(next)
      chmodSync(next, statSync(root).mode & 0o7777)
    }
    current = realpathSync(next)
    if (!isInside(current)) throw fail('prepare')
  }
  return current
}

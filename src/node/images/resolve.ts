// What runs in place of an image. Nothing is pulled: a few well-known images have a small stand-in that is built in,
// `fairway` is this checkout itself, and any other image runs its container's command on this machine's root file
// system, if it has one. Images that were imported come before all of that (image-store.ts).

import { allocatorEnvironment, smallYoungSpace } from '#daemon/allocator.ts'
import { parseImageReference } from '#node/images/reference.ts'

/** What an image brings along, as an OCI image configuration does. */
export type ImageConfig = {
  /** shown as the image's id */
  readonly ref: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly user: number
  readonly group: number
  readonly groups: readonly number[]
  /** $HOME of that user, where the image knows it */
  readonly home?: string
  /** the user's name, where the image names it and not its number */
  readonly userName?: string
  /** as SIGQUIT; undefined: SIGTERM */
  readonly stopSignal?: string
  /** folders of its root file system, the highest first; undefined: this machine's own root */
  readonly layers?: readonly string[]
  /** a sentence for an event, where something else than the image runs */
  readonly note?: string
  /** shows this checkout at /opt/fairway */
  readonly needsCheckout: boolean
}

export type ResolvedImage =
  | { readonly kind: 'image'; readonly config: ImageConfig }
  /** `message` says what to do */
  | { readonly kind: 'unknown'; readonly message: string }
  | { readonly kind: 'invalid'; readonly message: string }

/** Where the built-in programs are found inside every container. */
export const inside = {
  node: '/opt/fairway-node',
  checkout: '/opt/fairway',
  agnhost: '/agnhost',
} as const

const base = { env: {}, workingDir: '/', user: 0, group: 0, groups: [], needsCheckout: false } as const

type StandIn = { readonly entrypoint: readonly string[]; readonly cmd: readonly string[]; readonly does: string }

const standIns: Readonly<Record<string, StandIn>> = {
  agnhost: { entrypoint: [inside.agnhost], cmd: ['pause'], does: 'netexec, serve-hostname and pause' },
  nginx: { entrypoint: [inside.agnhost], cmd: ['nginx'], does: 'a welcome page on ports 80 and 443' },
  pause: { entrypoint: [inside.agnhost], cmd: ['pause'], does: 'nothing, as it should' },
  serve_hostname: { entrypoint: [inside.agnhost], cmd: ['serve-hostname'], does: 'its host name on port 9376' },
}
const otherNames: Readonly<Record<string, string>> = { 'serve-hostname': 'serve_hostname', 'nginx-slim': 'nginx' }

/** `hasCommand`: the container says itself what to run. */
export function resolveImage(image: string, hasCommand: boolean): ResolvedImage {
  const reference = parseImageReference(image)
  if (reference === undefined)
    return { kind: 'invalid', message: `couldn't parse image name "${image}": invalid reference format` }
  const name = otherNames[reference.name] ?? reference.name
  if (name === 'fairway') return known({ ...base, ...ownImage, ref: `built-in/fairway:${reference.tag}` })
  const standIn = Object.hasOwn(standIns, name) ? standIns[name] : undefined
  if (standIn) {
    const { entrypoint, cmd, does } = standIn
    const note = hasCommand
      ? `Image "${image}" is not pulled: the command runs on this machine's root file system, with the built-in stand-in for ${name} in it`
      : `Image "${image}" is not pulled: its built-in stand-in runs (${does})`
    return known({ ...base, entrypoint, cmd, note, ref: `built-in/${name}` })
  }
  if (!hasCommand) return { kind: 'unknown', message: whatToDo(image) }
  const note = `Image "${image}" is not pulled: the command runs on this machine's root file system`
  return known({ ...base, entrypoint: [], cmd: [], note, ref: 'built-in/machine-root' })
}

const known = (config: ImageConfig): ResolvedImage => ({ kind: 'image', config })

/** Compiled code of this checkout as run in pods; below the checkout. */
export const podCache = 'node_modules/.cache/pods'

const ownImage = {
  entrypoint: [
    inside.node,
    '--disable-warning=ExperimentalWarning',
    smallYoungSpace,
    `${inside.checkout}/src/cli/main.ts`,
  ],
  cmd: ['--help'],
  // A cache that pods of all clusters fill together, apart from the machine's own: what a pod writes, only pods run.
  env: { ...allocatorEnvironment, NODE_COMPILE_CACHE: `${inside.checkout}/${podCache}` },
  needsCheckout: true,
} as const

const whatToDo = (image: string) =>
  `image "${image}" has no built-in stand-in and nothing is pulled from registries: give the container a command, ` +
  `which then runs on this machine's root file system, import the image (fairway image import), ` +
  `or use one of ${Object.keys(standIns).join(', ')}`

/** What a container runs: its own command and arguments in place of the image's, by Kubernetes' rules. */
export function commandOf(
  image: Pick<ImageConfig, 'entrypoint' | 'cmd'>,
  command: readonly string[],
  args: readonly string[],
): readonly string[] {
  if (command.length > 0) return [...command, ...args]
  return [...image.entrypoint, ...(args.length > 0 ? args : image.cmd)]
}

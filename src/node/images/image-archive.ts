// What an archive of images holds, by the OCI image layout (index.json, blobs/) or by `docker save` (manifest.json). Pure:
// the archive's JSON files are asked for by `read`, which throws where one is missing.
// Source: OCI image-spec 1.1, image-layout.md, manifest.md, config.md; the tar format of `docker save`.

export type ArchivedImage = {
  /** names that the archive itself gives it */
  readonly names: readonly string[]
  /** files of the archive: the configuration, and the layers from the lowest up */
  readonly config: string
  readonly layers: readonly { readonly path: string; readonly digest: string }[]
}

/** The archive cannot be understood; the message says why. */
export class ArchiveError extends Error {
  readonly code = 'BadArchive'
}

type Read = (path: string) => unknown
type Descriptor = {
  readonly mediaType?: string
  readonly digest: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: { readonly os: string; readonly architecture: string }
}
type Index = { readonly manifests: readonly Descriptor[] }
type Manifest = { readonly config: Descriptor; readonly layers: readonly Descriptor[] }
type DockerManifest = readonly {
  readonly Config: string
  readonly RepoTags: readonly string[] | null
  readonly Layers: readonly string[]
}[]

/** `architecture` as Go calls it: amd64, arm64. */
export function listImages(files: ReadonlySet<string>, read: Read, architecture: string): readonly ArchivedImage[] {
  if (files.has('manifest.json')) return listDockerImages(read('manifest.json') as DockerManifest)
  if (files.has('index.json')) return listLayoutImages(read, read('index.json') as Index, [], architecture)
  throw new ArchiveError('it holds neither index.json (an OCI image layout) nor manifest.json (docker save)')
}

const listDockerImages = (manifest: DockerManifest): readonly ArchivedImage[] =>
  manifest.map(({ Config, RepoTags, Layers }) => ({
    names: RepoTags ?? [],
    config: Config,
    layers: Layers.map((path) => ({ path, digest: path })),
  }))

function listLayoutImages(
  read: Read,
  { manifests }: Index,
  outerNames: readonly string[],
  architecture: string,
): readonly ArchivedImage[] {
  const fitting = manifests.filter(({ platform }) => fits(platform, architecture))
  return fitting.flatMap(({ digest, mediaType = '', annotations = {} }) => {
    const own = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'].flatMap(
      (key) => annotations[key] ?? [],
    )
    const names = own.length > 0 ? own : outerNames
    const document = read(blobPath(digest))
    if (/index|manifest\.list/.test(mediaType)) return listLayoutImages(read, document as Index, names, architecture)
    const { config, layers } = document as Manifest
    return {
      names,
      config: blobPath(config.digest),
      layers: layers.map((layer) => ({ path: blobPath(layer.digest), digest: layer.digest })),
    }
  })
}

/** Attestations have the platform `unknown`. */
const fits = (platform: Descriptor['platform'], architecture: string): boolean =>
  platform === undefined || (platform.os === 'linux' && platform.architecture === architecture)

/** Digests come from outside: nothing else may become part of a path. */
function blobPath(digest: string): string {
  const match = /^([a-z0-9+._-]+):([0-9a-f]{32,})$/.exec(digest)
  if (match === null) throw new ArchiveError(`"${digest}" is no digest`)
  return `blobs/${match[1]}/${match[2]}`
}

/** The configuration of an image, as far as containers are concerned. */
export type ImageDefaults = {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  /** `name`, `uid`, `name:group` or `uid:gid`; '' is root */
  readonly user: string
  readonly stopSignal?: string
}

type Lines = readonly string[] | null | undefined
type OciConfig = {
  readonly config?: {
    readonly Entrypoint?: Lines
    readonly Cmd?: Lines
    readonly Env?: Lines
    readonly WorkingDir?: string
    readonly User?: string
    readonly StopSignal?: string
  } | null
}

export function readDefaults(document: unknown): ImageDefaults {
  const { config } = document as OciConfig
  const env = (config?.Env ?? []).map((line) => {
    const equals = line.indexOf('=')
    return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)]
  })
  return {
    entrypoint: config?.Entrypoint ?? [],
    cmd: config?.Cmd ?? [],
    env: Object.fromEntries(env) as Record<string, string>,
    workingDir: config?.WorkingDir || '/',
    user: config?.User ?? '',
    ...(config?.StopSignal && { stopSignal: config.StopSignal }),
  }
}

/** Of several images in an archive, the one that is meant. Throws an ArchiveError that lists them. */
export function pickImage(images: readonly ArchivedImage[], isNamed: (name: string) => boolean): ArchivedImage {
  const [first, ...more] = images
  if (first === undefined) throw new ArchiveError('it holds no image for this machine’s processor')
  if (more.length === 0) return first
  const named = images.find(({ names }) => names.some(isNamed))
  if (named) return named
  const list = images.map(({ names }) => names.join(' ') || 'one without a name').join(', ')
  throw new ArchiveError(`it holds several images, and none of that name: ${list}`)
}

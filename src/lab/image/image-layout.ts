// An image of one layer as files of an archive: an OCI image layout that `docker load` of older Dockers reads as well. Pure.
// Source: OCI image-spec 1.1, image-layout.md, manifest.md, config.md, annotations.md; the tar format of `docker save`.
import { toHex, utf8 } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'

export type Layer = {
  /** SHA-256 of the compressed archive and of what is in it, in hexadecimal */
  readonly digest: string
  readonly diffId: string
  /** compressed, in bytes */
  readonly size: number
}

export type ImageOptions = {
  /** with a tag: `fairway:0.1.0` */
  readonly name: string
  /** as Go calls it: amd64, arm64 */
  readonly architecture: string
  readonly layer: Layer
  readonly entrypoint: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export const blobPath = (digest: string): string => `blobs/sha256/${digest}`

/** Every file of the layout but the layer itself, which belongs at its `blobPath`. */
export function planLayout(options: ImageOptions): ReadonlyMap<string, Uint8Array> {
  const { name, architecture, layer, entrypoint, env } = options
  const config = json({
    architecture,
    os: 'linux',
    config: { Entrypoint: entrypoint, Env: Object.entries(env).map(([key, value]) => `${key}=${value}`) },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer.diffId}`] },
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: `sha256:${layer.digest}`,
        size: layer.size,
      },
    ],
  })
  const annotations = {
    'io.containerd.image.name': fullName(name),
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  }
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        platform: { os: 'linux', architecture },
        annotations,
      },
    ],
  }
  const saved = [{ Config: blobPath(digestOf(config)), RepoTags: [name], Layers: [blobPath(layer.digest)] }]
  return new Map([
    ['oci-layout', json({ imageLayoutVersion: '1.0.0' })],
    ['index.json', json(index)],
    ['manifest.json', json(saved)],
    [blobPath(digestOf(config)), config],
    [blobPath(digestOf(manifest)), manifest],
  ])
}

/** As containerd and the kubelet name it: with the registry and folder that are left out otherwise. */
function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/')
  if (rest.length === 0) return `docker.io/library/${name}`
  return /[.:]|^localhost$/.test(first) ? name : `docker.io/${name}`
}

const json = (value: unknown) => utf8(JSON.stringify(value))
const digestOf = (bytes: Uint8Array) => toHex(sha256(bytes))
const descriptor = (mediaType: string, bytes: Uint8Array) => ({
  mediaType,
  digest: `sha256:${digestOf(bytes)}`,
  size: bytes.length,
})

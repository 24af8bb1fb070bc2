// The snapshot of a cluster: files in an archive, named after whose they are. README.md lists them.

import { decodeTar, encodeTar } from '#lib/tar.ts'

export type SnapshotFile = {
  /** `nodes/node-1/iptables-save.txt` */
  readonly file: string
  readonly text: string
}

const manifestName = 'fairway-snapshot.json'

export type Manifest = {
  readonly fairwaySnapshot: 1
  /** RFC 3339 */
  readonly made: string
  /** `fairway 0.1.0` */
  readonly by: string
  readonly nodes: readonly string[]
  /** what could not be collected, and why */
  readonly gaps: readonly string[]
}

export const nodeFile = (node: string, name: string): string => `nodes/${node}/${name}`
export const podFile = (namespace: string, pod: string, name: string): string => `pods/${namespace}/${pod}/${name}`
export const objectsFile = (resource: string): string => `objects/${resource}.json`

export const manifestFile = (manifest: Manifest): SnapshotFile => ({
  file: manifestName,
  text: `${JSON.stringify(manifest, undefined, 2)}\n`,
})

/** A tar archive. */
export function encodeSnapshot(manifest: Manifest, files: readonly SnapshotFile[]): Uint8Array {
  const all = [manifestFile(manifest), ...files]
  return encodeTar(
    all.map(({ file, text }) => ({ name: file, data: new TextEncoder().encode(text) })),
    Math.floor(Date.parse(manifest.made) / 1000),
  )
}

/** The files of any tar archive; undefined where the bytes are none. Bytes that are no UTF-8 become replacement characters. */
export function decodeSnapshot(bytes: Uint8Array): SnapshotFile[] | undefined {
  return decodeTar(bytes)?.map(({ name, data }) => ({ file: name, text: new TextDecoder().decode(data) }))
}

/** Several where somebody made a file on each node; whoever wrote them may have written anything. */
export const manifestsOf = (files: readonly SnapshotFile[]): readonly Partial<Manifest>[] =>
  files
    .filter(({ file }) => file === manifestName || file.endsWith(`/${manifestName}`))
    .flatMap(({ text }) => {
      try {
        const { made, gaps, ...rest } = JSON.parse(text) as Partial<Manifest>
        const isText = (one: unknown) => typeof one === 'string'
        return [
          {
            ...rest,
            ...(isText(made) && { made }),
            ...(Array.isArray(gaps) && { gaps: gaps.filter(isText) }),
          },
        ]
      } catch {
        return []
      }
    })

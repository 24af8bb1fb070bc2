// The objects of a cluster out of files that anybody may have written: each decoded by its type's schema, so that nothing
// behind has to look twice. What does not fit is left out, and said.

import type { ConfigMap, Endpoints, Namespace, Node, Pod, Service } from '#api/core.ts'
import { decodeValue } from '#api/decode.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { NetworkPolicy } from '#api/networking.ts'
import { identify } from '#trace/read/identify.ts'
import { readLists } from '#trace/read/objects.ts'
import type { Input } from '#trace/read/read-world.ts'

type Kinds = {
  readonly Service: Service
  readonly EndpointSlice: EndpointSlice
  readonly Endpoints: Endpoints
  readonly Pod: Pod
  readonly Node: Node
  readonly Namespace: Namespace
  readonly ConfigMap: ConfigMap
  readonly NetworkPolicy: NetworkPolicy
}
const types: { readonly [K in keyof Kinds]: string } = {
  Service: 'core.Service',
  EndpointSlice: 'discovery.EndpointSlice',
  Endpoints: 'core.Endpoints',
  Pod: 'core.Pod',
  Node: 'core.Node',
  Namespace: 'core.Namespace',
  ConfigMap: 'core.ConfigMap',
  NetworkPolicy: 'networking.NetworkPolicy',
}

export type ClusterObjects = {
  /** of one kind; undefined: nobody gave any, not even an empty list */
  of<K extends keyof Kinds>(kind: K): readonly Kinds[K][] | undefined
  /** kinds that there are objects or lists of */
  readonly kinds: ReadonlySet<string>
  readonly problems: readonly string[]
}

type Raw = {
  readonly kind?: unknown
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown } | null
}

export function readClusterObjects(files: readonly Input[]): ClusterObjects {
  const kinds = new Set<string>()
  const problems: string[] = []
  const found = new Map<string, Map<string, unknown>>()
  for (const { file, text } of files) {
    if (identify(text, file) !== 'objects') continue
    const read = readLists(text)
    // The reader of the world has said what is wrong.
    if (typeof read === 'string') continue
    for (const kind of read.listed) kinds.add(kind)
    for (const raw of read.objects as readonly Raw[]) {
      if (typeof raw.kind !== 'string') continue
      kinds.add(raw.kind)
      const type = Object.hasOwn(types, raw.kind) ? types[raw.kind as keyof Kinds] : undefined
      if (type === undefined) continue
      const key = `${String(raw.metadata?.namespace ?? '')}/${String(raw.metadata?.name)}`
      const decoded = decodeValue(type, raw)
      if (decoded.kind === 'error') problems.push(`${file}: ${raw.kind} ${key}: ${decoded.message}; it is left out`)
      // Of two objects of one name the later counts.
      else if (typeof raw.metadata?.name === 'string') mapOf(found, raw.kind).set(key, decoded.object)
    }
  }
  const of = (kind: string) => (kinds.has(kind) ? [...(found.get(kind)?.values() ?? [])] : undefined)
  return { of: of as ClusterObjects['of'], kinds, problems }
}

function mapOf(maps: Map<string, Map<string, unknown>>, kind: string): Map<string, unknown> {
  const known = maps.get(kind) ?? new Map<string, unknown>()
  maps.set(kind, known)
  return known
}

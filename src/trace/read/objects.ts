// `kubectl get ... -o json` or `-o yaml`: one object, a list, or several documents.

import { parseAllDocuments } from 'yaml'
import type { Node, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import { isObject } from '#kernel/dump/lines.ts'
import type { Objects } from '#trace/world.ts'

type AnyObject = {
  readonly kind?: unknown
  readonly items?: unknown
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown }
}

export type ListedObjects = {
  readonly objects: readonly unknown[]
  /** kinds of which there are lists, empty ones too: `Service` for a ServiceList */
  readonly listed: readonly string[]
}

/** What the API said; objects that are not one are left out. A text instead says what is wrong. */
export function readObjects(text: string): readonly unknown[] | string {
  const read = readLists(text)
  return typeof read === 'string' ? read : read.objects
}

/** The same, with what was listed. */
export function readLists(text: string): ListedObjects | string {
  const read = readDocuments(text)
  if (typeof read === 'string') return read
  return {
    objects: read.flatMap((root) => itemsOf(root, undefined)),
    listed: read.flatMap((root) => /^(\w+)List$/.exec(String((root as AnyObject | null)?.kind))?.[1] ?? []),
  }
}

function readDocuments(text: string): readonly unknown[] | string {
  try {
    return /^\s*[[{]/.test(text)
      ? readJson(text)
      : parseAllDocuments(text, { logLevel: 'silent' }).map(
          (document) => document.toJS({ maxAliasCount: 100 }) as unknown,
        )
  } catch (error) {
    return (error as Error).message.split('\n')[0]!
  }
}

/** One document, or several one after the other with logs between them, as `kubectl cluster-info dump` prints them. */
function readJson(text: string): readonly unknown[] {
  try {
    return [JSON.parse(text) as unknown]
  } catch (error) {
    const documents = text.match(/^\{$[^]*?^\}$/gm) ?? []
    if (documents.length < 2) throw error
    return documents.map((document) => JSON.parse(document) as unknown)
  }
}

/** Items of a typed list (`PodList`) may not say their kind. */
function itemsOf(root: unknown, kind: string | undefined): readonly unknown[] {
  if (typeof root !== 'object' || root === null) return []
  if (Array.isArray(root)) return root.flatMap((item) => itemsOf(item, kind))
  const { items, kind: own } = root as AnyObject
  const named = typeof own === 'string' ? own : kind
  if (Array.isArray(items)) return items.flatMap((item) => itemsOf(item, named?.replace(/List$/, '') || undefined))
  return named === undefined ? [] : [{ kind: named, ...root }]
}

/** Of two objects of one name the later counts. */
export function sortObjects(all: readonly unknown[]): Objects {
  const kinds = new Map<string, Map<string, unknown>>()
  for (const item of all as readonly AnyObject[]) {
    const { kind, metadata } = item
    if (typeof kind !== 'string' || typeof metadata?.name !== 'string') continue
    const named = kinds.get(kind) ?? new Map<string, unknown>()
    named.set(`${String(metadata.namespace ?? '')}/${metadata.name}`, item)
    kinds.set(kind, named)
  }
  const of = (kind: string) => [...(kinds.get(kind)?.values() ?? [])].filter(isWhole)
  return {
    pods: of('Pod') as Pod[],
    services: of('Service') as Service[],
    endpointSlices: of('EndpointSlice') as EndpointSlice[],
    nodes: of('Node') as Node[],
  }
}

/** Types of the fields that a trace looks at, wherever they stand. */
const texts = new Set([
  'name',
  'namespace',
  'nodeName',
  'podIP',
  'ip',
  'phase',
  'clusterIP',
  'protocol',
  'address',
  'type',
])
const numbers = new Set(['port', 'nodePort'])
const lists = new Set(['podIPs', 'addresses', 'ports', 'endpoints', 'clusterIPs'])

function isWhole(object: unknown): boolean {
  const { metadata, spec, status } = object as Record<string, unknown>
  return [metadata, spec, status].every((part) => part === undefined || isObject(part)) && isSound(object)
}

/** Fields of a wrong type would only be met in the middle of a walk. */
function isSound(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => item !== null && item !== undefined && isSound(item))
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, field]) => {
    if (field === null || field === undefined) return true
    if (texts.has(key) && typeof field !== 'string') return false
    if (numbers.has(key) && typeof field !== 'number' && typeof field !== 'string') return false
    if (lists.has(key) && !Array.isArray(field)) return false
    return isSound(field)
  })
}

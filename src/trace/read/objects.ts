// `kubectl get ... -o json` or `-o yaml`: one object, a list, or several documents.

import { parseAllDocuments } from 'yaml'
import type { Node, Pod, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { Objects } from '#trace/world.ts'

type AnyObject = {
  readonly kind?: unknown
  readonly items?: unknown
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown }
}

/** What the API said; objects that are not one are left out. A text instead says what is wrong. */
export function readObjects(text: string): readonly unknown[] | string {
  try {
    const roots = /^\s*[[{]/.test(text)
      ? [JSON.parse(text) as unknown]
      : parseAllDocuments(text, { logLevel: 'silent' }).map(
          (document) => document.toJS({ maxAliasCount: 100 }) as unknown,
        )
    return roots.flatMap((root) => itemsOf(root, undefined))
  } catch (error) {
    return (error as Error).message.split('\n')[0]!
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
  const of = (kind: string) => [...(kinds.get(kind)?.values() ?? [])].filter(isSound)
  return {
    pods: of('Pod') as Pod[],
    services: of('Service') as Service[],
    endpointSlices: of('EndpointSlice') as EndpointSlice[],
    nodes: of('Node') as Node[],
  }
}

/** Fields of a wrong type would only be met in the middle of a walk. */
function isSound(object: unknown): boolean {
  const { spec, status, endpoints } = object as Record<string, unknown>
  const isObject = (value: unknown) =>
    value === undefined || value === null || (typeof value === 'object' && !Array.isArray(value))
  const lists = [
    (status as Record<string, unknown> | undefined)?.['podIPs'],
    (status as Record<string, unknown> | undefined)?.['addresses'],
    (spec as Record<string, unknown> | undefined)?.['ports'],
    endpoints,
  ]
  return (
    isObject(spec) &&
    isObject(status) &&
    lists.every((list) => list === undefined || list === null || (Array.isArray(list) && list.every(isObject)))
  )
}

// Which objects of a resource a list or a watch asks for, and what a watch makes of a change to one that starts or stops
// being among them.

import { exactField, matchFields, type FieldRequirements } from '#api/field-selector.ts'
import { matchLabels, type Requirements } from '#api/selector.ts'
import type { Entry } from '#apiserver/cache/entry.ts'
import type { CacheEvent } from '#apiserver/cache/resource-cache.ts'

export type Selection = {
  /** '' for all namespaces and for cluster-wide resources */
  readonly namespace: string
  readonly labels: Requirements
  readonly fields: FieldRequirements
}

export const everything: Selection = { namespace: '', labels: [], fields: [] }

/** With what the keys of the selected start. */
export const prefixOf = ({ namespace }: Selection): string => (namespace === '' ? '' : `${namespace}/`)

/** The one key that is possible, where the selection names one object. */
export function onlyKey({ namespace, fields }: Selection, namespaced: boolean): string | undefined {
  const name = exactField(fields, 'metadata.name')
  if (name === undefined) return undefined
  const inNamespace = namespace || exactField(fields, 'metadata.namespace')
  if (!namespaced) return name
  return inNamespace === undefined ? undefined : `${inNamespace}/${name}`
}

export function selects(selection: Selection, entry: Entry): boolean {
  const { namespace, labels, fields } = selection
  if (namespace !== '' && entry.namespace !== namespace) return false
  if (labels.length > 0 && !matchLabels(labels, entry.labels)) return false
  return fields.length === 0 || matchFields(fields, (field) => fieldOf(entry, field))
}

function fieldOf(entry: Entry, field: string): string | undefined {
  if (field === 'metadata.name') return entry.name
  return field === 'metadata.namespace' ? entry.namespace : entry.fields[field]
}

export type Watched = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly entry: Entry }

/**
 * How a change looks to a watch with this selection; undefined: not at all. An object that stops being selected is
 * DELETED, in the state in which it last was selected, at the revision of the change.
 */
export function watchedAs(
  event: CacheEvent,
  selection: Selection,
  at: (entry: Entry, revision: number) => Entry,
): Watched | undefined {
  const { kind, entry, previous, revision } = event
  const was = previous !== undefined && selects(selection, previous)
  const is = kind !== 'deleted' && selects(selection, entry)
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', entry }
  if (!was) return undefined
  return { type: 'DELETED', entry: kind === 'deleted' ? entry : at(previous, revision) }
}

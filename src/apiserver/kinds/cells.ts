// Cells that many kinds show alike.

import type { Cell, Column } from '#apiserver/kind.ts'
import type { Container } from '#api/core.ts'
import type { ApiObject, LabelSelector } from '#api/meta.ts'
import { ageOf } from '#lib/duration.ts'

export const nameColumn: Column = { name: 'Name', type: 'string', format: 'name' }
export const ageColumn: Column = { name: 'Age', type: 'string' }
/** Names and images of the containers in a template; shown by -o wide. */
export const containerColumns: readonly Column[] = [wide('Containers'), wide('Images')]

export function text(name: string): Column {
  return { name, type: 'string' }
}
export function integer(name: string): Column {
  return { name, type: 'integer' }
}
export function boolean(name: string): Column {
  return { name, type: 'boolean' }
}
/** A column that only -o wide shows. */
export function wide(name: string): Column {
  return { name, type: 'string', priority: 1 }
}

export function nameOf(object: ApiObject): string {
  return object.metadata?.name ?? ''
}

/** How long ago a moment of the API was: '5m12s'; '<unknown>' without one. */
export function since(time: string | undefined, nowMs: number): string {
  return time === undefined ? '<unknown>' : ageOf(nowMs - Date.parse(time))
}

export function age(object: ApiObject, nowMs: number): string {
  return since(object.metadata?.creationTimestamp, nowMs)
}

export function containerCells(containers: readonly Container[] | undefined): readonly Cell[] {
  const all = containers ?? []
  return [all.map(({ name }) => name).join(','), all.map(({ image }) => image ?? '').join(',')]
}

/** `a=b,c=d`, sorted, or `<none>`. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return pairs.sort().join(',') || '<none>'
}

/** A selector as `kubectl get -l` would take it, its requirements sorted by key; '' if it selects everything. */
export function selectorText(selector: LabelSelector | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` }))
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => {
    const list = `(${[...(values ?? [])].sort().join(',')})`
    if (operator === 'In') return { key, text: `${key} in ${list}` }
    if (operator === 'NotIn') return { key, text: `${key} notin ${list}` }
    return { key, text: operator === 'Exists' ? key : `!${key}` }
  })
  return [...equal, ...expressions]
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ text }) => text)
    .join(',')
}

// Cells that many kinds show alike.

import type { Cell, Column } from '#apiserver/kind.ts'
import type { Container } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
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

// Objects as rows for people (server-side printing): the meta.k8s.io Table that kubectl prints.

import type { ApiObject, ListMeta } from '#api/meta.ts'
import type { Cell, Column, Kind } from '#apiserver/kind.ts'
import type { Include } from '#apiserver/print/accept.ts'

export type Table = {
  readonly kind: 'Table'
  readonly apiVersion: string
  readonly metadata: ListMeta
  readonly columnDefinitions: readonly Required<Column>[]
  readonly rows: readonly TableRow[]
}
type TableRow = { readonly cells: readonly Cell[]; readonly object?: unknown }

export type TableForm = { readonly version: 'v1' | 'v1beta1'; readonly include: Include }

/** `isLater`: of a watch's tables only the first says what the columns are. */
export function tableOf(
  kind: Kind,
  objects: readonly ApiObject[],
  metadata: ListMeta,
  { version, include }: TableForm,
  nowMs: number,
  isLater = false,
): Table {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: isLater ? [] : kind.columns.map(wholeColumn),
    rows: objects.map((object) => ({
      cells: kind.row(object, nowMs),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialOf(object, version) }),
    })),
  }
}

const wholeColumn = (column: Column): Required<Column> => ({ format: '', description: '', priority: 0, ...column })

/** An object without all but its metadata. */
export function partialOf(object: ApiObject, version: 'v1' | 'v1beta1'): ApiObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: object.metadata ?? {},
  }
}

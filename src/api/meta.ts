// The types that every object shares.

import type { Typed } from '#api/schema/schema.ts'

export interface ObjectMeta extends Typed<'meta', 'ObjectMeta'> {}
export interface OwnerReference extends Typed<'meta', 'OwnerReference'> {}
export interface ListMeta extends Typed<'meta', 'ListMeta'> {}
export interface LabelSelector extends Typed<'meta', 'LabelSelector'> {}
export interface Status extends Typed<'meta', 'Status'> {}
export interface StatusCause extends Typed<'meta', 'StatusCause'> {}
export interface DeleteOptions extends Typed<'meta', 'DeleteOptions'> {}
export interface Condition extends Typed<'meta', 'Condition'> {}

/** Any API object. */
export type ApiObject = {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata?: ObjectMeta
}

/** What a list request answers. */
export type List<T> = {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: ListMeta
  readonly items: readonly T[]
}

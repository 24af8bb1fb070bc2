// The type of an object: of the schema, by its name, or a custom resource's, brought along by who knows its definition.

import type { Shape } from '#api/apply/shape.ts'
import type { Decoded } from '#api/decode.ts'

export interface CustomType {
  /** how server-side apply sees it */
  readonly shape: Shape
  /** As decodeValue: pruned, defaulted, every value as it is stored. */
  decode(value: unknown): Decoded
}

/** 'core.Service', or a type of its own. */
export type TypeRef = string | CustomType

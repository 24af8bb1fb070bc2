// A version of a custom resource as a type: how bodies become objects of it, and what they may say.

import { decodeValue, type Decoded } from '#api/decode.ts'
import { checkLists } from '#api/custom/check-lists.ts'
import { checkValue } from '#api/custom/check-value.ts'
import { prune, withDefaults } from '#api/custom/fit.ts'
import {
  isEmbedded,
  isObject,
  itemsOf,
  type JsonObject,
  mapMembers,
  memberOf,
  type Node,
  propertyOf,
} from '#api/custom/schema-node.ts'
import { resourceShape } from '#api/custom/shape.ts'
import { type FieldError, formatFieldError } from '#api/field-error.ts'
import type { ApiObject } from '#api/meta.ts'
import type { CustomType } from '#api/type-ref.ts'

/** What each resource is, whatever its schema says. */
const anyResource: Node = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

export function customType(schema: Node | undefined): CustomType {
  const node = schema ?? anyResource
  return {
    shape: resourceShape(node),
    decode(value) {
      if (!isObject(value))
        return {
          kind: 'error',
          message: `json: cannot unmarshal ${goKind(value)} into Go value of type map[string]interface {}`,
        }
      const named = resourceNames(value)
      if (named.kind === 'error') return named
      const { apiVersion: _a, kind: _k, metadata: _m, ...rest } = value
      const problems = [...named.problems]
      const fitted = prune(withDefaults(rest, node), node, problems) as JsonObject
      const object = { ...named.object, ...(coerced(fitted, node, problems) as JsonObject) }
      return { kind: 'ok', object: object as Record<string, never>, problems: problems.sort() }
    },
  }
}

/** apiVersion, kind and metadata are those of every object. */
function resourceNames({ apiVersion, kind, metadata }: JsonObject): Decoded {
  const decoded = decodeValue('meta.PartialObjectMetadata', { apiVersion, kind, metadata })
  if (decoded.kind === 'error') return decoded
  return { ...decoded, object: { ...decoded.object, metadata: decoded.object['metadata'] ?? {} } }
}

/** Resources inside of resources have metadata as all have. */
function coerced(value: unknown, node: Node, problems: string[]): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(node)
    return items === undefined ? value : value.map((item) => coerced(item, items, problems))
  }
  if (!isObject(value)) return value
  const inside = mapMembers(value, (item, key) => {
    const inner = memberOf(node, key)
    return inner === undefined || inner === true ? item : coerced(item, inner, problems)
  })
  if (!isEmbedded(node) || inside['metadata'] === undefined) return inside
  const named = resourceNames(inside)
  // What does not fit is dropped: of a resource inside of another nobody is told.
  return named.kind === 'error' ? inside : { ...inside, ...named.object }
}

const goKind = (value: unknown) => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value)

/**
 * What is wrong with an object; of an update only what was not so before. `old` is undefined for a new one.
 */
export function checkCustom(object: ApiObject, old: ApiObject | undefined, node: Node | undefined): FieldError[] {
  if (node === undefined) return []
  const errorsOf = (value: ApiObject) => [...checkValue(value, node), ...checkLists(value, node)]
  return ratcheted(errorsOf(object), () => (old === undefined ? [] : errorsOf(old)))
}

/** The same for a write of the status alone. */
export function checkCustomStatus(object: ApiObject, old: ApiObject, node: Node | undefined): FieldError[] {
  const part = node && propertyOf(node, 'status')
  const status = (value: ApiObject) => (value as { readonly status?: unknown }).status
  if (part === undefined || status(object) === undefined) return []
  const errorsOf = (value: unknown) => [...checkValue(value, part, 'status'), ...checkLists(value, part, 'status')]
  return ratcheted(errorsOf(status(object)), () => (status(old) === undefined ? [] : errorsOf(status(old))))
}

/** What was wrong before may stay as it is. */
function ratcheted(errors: FieldError[], before: () => readonly FieldError[]): FieldError[] {
  if (errors.length === 0) return errors
  const known = new Set(before().map(formatFieldError))
  return errors.filter((error) => !known.has(formatFieldError(error)))
}

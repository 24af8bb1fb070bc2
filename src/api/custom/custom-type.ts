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
import { goJson } from '#api/go-text.ts'
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
      const coercing: Coercing = { problems, failure: undefined }
      const object = { ...named.object, ...(coerced(fitted, node, '', coercing) as JsonObject) }
      if (coercing.failure !== undefined) return { kind: 'error', message: coercing.failure }
      return { kind: 'ok', object: object as Record<string, never>, problems: problems.sort() }
    },
  }
}

/** apiVersion, kind and metadata are those of every object. `path`: of the resource inside of another. */
function resourceNames({ apiVersion, kind, metadata = {} }: JsonObject, path = ''): Decoded {
  const names = decodeValue('meta.TypeMeta', { apiVersion, kind })
  if (names.kind === 'error') return names
  const decoded = decodeValue('meta.ObjectMeta', metadata ?? {})
  if (decoded.kind === 'error')
    return path === ''
      ? decoded
      : { kind: 'error', message: `${path}.metadata: Invalid value: ${goJson(metadata)}: ${decoded.message}` }
  const where = path === '' ? 'metadata' : `${path}.metadata`
  const problems = decoded.problems.map((problem) => problem.replace('"', `"${where}.`))
  return { kind: 'ok', object: { ...names.object, metadata: decoded.object }, problems }
}

type Coercing = { readonly problems: string[]; failure: string | undefined }

/** Resources inside of resources have metadata as all have. */
function coerced(value: unknown, node: Node, path: string, into: Coercing): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(node)
    return items === undefined ? value : value.map((item, at) => coerced(item, items, `${path}[${at}]`, into))
  }
  if (!isObject(value)) return value
  const inside = mapMembers(value, (item, key) => {
    const inner = memberOf(node, key)
    if (inner === undefined || inner === true) return item
    return coerced(item, inner, path === '' ? key : `${path}.${key}`, into)
  })
  if (!isEmbedded(node) || path === '' || inside['metadata'] === undefined) return inside
  const named = resourceNames(inside, path)
  if (named.kind === 'error') {
    into.failure ??= named.message
    return inside
  }
  into.problems.push(...named.problems)
  return { ...inside, ...named.object }
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

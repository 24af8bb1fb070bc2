// Strategic merge patches: merge patches that know from the schema which lists are merged by a key, with directives
// ($patch, $retainKeys, $setElementOrder/x, $deleteFromPrimitiveList/x) inside the patch. The rules are those of
// apimachinery's util/strategicpatch. Nothing is changed in place.

import { kindOfJson } from '#api/decode-context.ts'
import { goTypeName, goValue, quote } from '#api/go-text.ts'
import { failed, isObject, type JsonObject, malformed, type Patched, patched, setField } from '#api/patch/patched.ts'
import { mergeLists, orderLists } from '#api/patch/strategic-list.ts'
import { type Field, type FieldType, typeNamed } from '#api/schema/schema.ts'

const setElementOrder = '$setElementOrder/'
const deleteFromList = '$deleteFromPrimitiveList/'

/** Applies a patch to an object of `typeName` ('core.Service'). */
export function applyStrategicPatch(typeName: string, object: JsonObject, patch: unknown): Patched {
  return patched(() => {
    if (!isObject(patch))
      throw malformed(`json: cannot unmarshal ${kindOfJson(patch)} into Go value of type map[string]interface {}`)
    return mergeObjects(object, patch, { kind: 'object', type: typeName })
  })
}

/** `type` is the type of the object, for what its fields say of merging. */
export function mergeObjects(original: JsonObject, patch: JsonObject, type: FieldType): JsonObject {
  if (Object.hasOwn(patch, '$patch')) {
    const { $patch: directive, ...rest } = patch
    if (directive === 'replace') return rest
    if (directive === 'delete') return {}
    throw failed(`unknown patch type: ${goValue(directive)} in map: ${goValue(patch)}`)
  }
  const { $retainKeys: retained, ...left } = patch
  const result: Record<string, unknown> = retained === undefined ? { ...original } : retain(original, left, retained)
  mergeOrderedLists(result, left, type)
  for (const [key, value] of Object.entries(left)) {
    if (key.startsWith(deleteFromList)) removeFromList(result, key.slice(deleteFromList.length), value, type)
    else if (value === null) delete result[key]
    else mergeField(result, key, value, type)
  }
  return result
}

function mergeField(result: Record<string, unknown>, key: string, value: unknown, type: FieldType): void {
  const original = Object.hasOwn(result, key) ? result[key] : undefined
  if (isObject(original) && isObject(value)) {
    const field = lookUp(type, key)
    setField(result, key, strategyOf(field) === 'replace' ? value : mergeObjects(original, value, field.type))
  } else if (Array.isArray(original) && Array.isArray(value)) {
    const field = lookUp(type, key)
    const merged = strategyOf(field) === 'merge' ? mergeLists(original, value, field, mergeObjects) : value
    setField(result, key, merged)
  } else if (isObject(value) && Object.hasOwn(value, '$patch')) delete result[key]
  else setField(result, key, withoutDirectives(value))
}

/** A value that has nothing to merge with: without nulls in its objects, without objects that are directives. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isDirective(item)).map(withoutDirectives)
  if (!isObject(value)) return value
  const result: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value))
    if (item !== null && !isDirective(item)) setField(result, key, withoutDirectives(item))
  return result
}

const isDirective = (value: unknown) => isObject(value) && Object.hasOwn(value, '$patch')

/** $retainKeys: all other fields go; the patch may speak of no other. */
function retain(original: JsonObject, patch: JsonObject, keys: unknown): Record<string, unknown> {
  const wrong = () => malformed('invalid patch format of retainKeys')
  if (!Array.isArray(keys)) throw wrong()
  const kept = new Set<unknown>(keys)
  for (const [key, value] of Object.entries(patch)) {
    const isDirective = key.startsWith(deleteFromList) || key.startsWith(setElementOrder)
    if (value !== null && !isDirective && !kept.has(key)) throw wrong()
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)))
}

/** $setElementOrder/x: merges list x and gives it the order of the directive. Takes both out of the patch. */
function mergeOrderedLists(result: Record<string, unknown>, patch: Record<string, unknown>, type: FieldType): void {
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(setElementOrder)) continue
    const order = patch[directive]
    delete patch[directive]
    const key = directive.slice(setElementOrder.length)
    if (!Array.isArray(order)) throw wrongType([], order)
    const original = result[key]
    const changes = patch[key]
    if (original !== undefined && !Array.isArray(original)) throw wrongType([], original)
    if (changes !== undefined && !Array.isArray(changes)) throw wrongType([], changes)
    const field = lookUp(type, key)
    if (original === undefined && changes === undefined) continue
    const merged = orderLists(original, changes, order, field, {
      merge: (old, patch) => (strategyOf(field) === 'merge' ? mergeLists(old, patch, field, mergeObjects) : [...patch]),
      clean: (list) => withoutNestedDirectives(list) as unknown[],
    })
    setField(result, key, merged)
    delete patch[key]
  }
}

/** As withoutDirectives, but nulls stay: upstream's way with a list that is new and ordered. */
function withoutNestedDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isDirective(item)).map(withoutNestedDirectives)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => !isDirective(item))
      .map(([key, item]) => [key, withoutNestedDirectives(item)]),
  )
}

function removeFromList(result: Record<string, unknown>, key: string, gone: unknown, type: FieldType): void {
  const original = result[key]
  if (!Array.isArray(original) || !Array.isArray(gone)) return
  lookUp(type, key)
  if (original.some(isObject) || gone.some(isObject)) throw failed('cannot merge lists without merge key for struct')
  result[key] = original.filter((item) => !gone.includes(item))
}

const wrongType = (wanted: unknown, found: unknown) =>
  failed(`expected a ${goTypeName(wanted)}, but received a ${goTypeName(found)}`)

/** `merge`, `replace` or nothing; retainKeys is only a hint for those who make patches. */
function strategyOf({ patchStrategy = '' }: Field): string {
  return patchStrategy.split(',').find((word) => word !== 'retainKeys') ?? ''
}

function lookUp(type: FieldType, key: string): Field {
  if (type.kind !== 'object') {
    const kind = type.kind === 'list' ? 'slice' : type.kind === 'map' ? 'map' : 'struct'
    throw failed(`merging an object in json but data type is not struct, instead is: ${kind}`)
  }
  const field = typeNamed(type.type)?.fields.get(key)
  if (field !== undefined) return field
  const struct = type.type.slice(type.type.indexOf('.') + 1)
  throw failed(`unable to find api field in struct ${struct} for the json field ${quote(key)}`)
}

// Lists in strategic merge patches: elements are merged by the key that the schema names, or as a set of plain values,
// and the result has the order of the patch with what only the server has in between (upstream's rule, so that kubectl's
// own calculation of a patch and ours agree).

import { goTypeName, goValue } from '#api/go-text.ts'
import { failed, isObject, type JsonObject, PatchError } from '#api/patch/patched.ts'
import { failure } from '#api/status.ts'
import type { Field, FieldType } from '#api/schema/schema.ts'

type Merge = (original: JsonObject, patch: JsonObject, type: FieldType) => JsonObject
type List = readonly unknown[]

/** Merges two lists of a field whose strategy is merge. */
export function mergeLists(original: List, patch: List, field: Field, merge: Merge): List {
  if (original.length === 0 && patch.length === 0) return original
  const key = field.mergeKey ?? ''
  if (!areObjects(original, patch)) {
    const merged = [...new Set([...original, ...patch])]
    return inOrder(merged, patch, original, key)
  }
  if (key === '') throw failed('cannot merge lists without merge key for struct')
  const { kept, changes } = applyDirectives(original as readonly JsonObject[], patch as readonly JsonObject[], key)
  const merged = [...kept]
  const elementType: FieldType = field.type.kind === 'list' ? field.type.element : field.type
  for (const change of changes) {
    const at = merged.findIndex((element) => element[key] === keyOf(change, key))
    if (at < 0) merged.push(change)
    else merged[at] = merge(merged[at]!, change, elementType)
  }
  return inOrder(merged, changes, kept, key)
}

/** Merges by `using`, and puts the elements into the order that `order` gives for those it names. */
export function orderLists(
  original: List | undefined,
  patch: List | undefined,
  order: List,
  field: Field,
  using: { readonly merge: (original: List, patch: List) => List; readonly clean: (list: List) => List },
): List {
  const key = field.mergeKey ?? ''
  if (patch !== undefined) checkOrder(patch, order, key)
  const merged =
    original === undefined ? using.clean(patch!) : patch === undefined ? original : using.merge(original, patch)
  areObjects(original ?? [], patch ?? [])
  return inOrder(merged, order, original ?? [], key)
}

/** What the directive elements of a patch leave of a list, and the elements of the patch that are to be merged. */
function applyDirectives(original: readonly JsonObject[], patch: readonly JsonObject[], key: string) {
  let kept = original
  let isReplaced = false
  const changes: JsonObject[] = []
  for (const element of patch) {
    switch (element['$patch']) {
      case undefined:
        changes.push(element)
        break
      case 'delete': {
        const gone = keyOf(element, key)
        kept = kept.filter((old) => old[key] !== gone)
        break
      }
      case 'replace':
        isReplaced = true
        break
      case 'merge':
        throw failed('merging lists cannot yet be specified in the patch')
      default:
        throw failed(`unknown patch type: ${goValue(element['$patch'])} in map: ${goValue(element)}`)
    }
  }
  return isReplaced ? { kept: changes, changes: [] } : { kept, changes }
}

/** The order in the patch must agree with the directive, which must name all that the patch has. */
function checkOrder(patch: List, order: List, key: string): void {
  if (patch.length === 0 || order.length === 0) return
  const named = key === '' ? patch : patch.filter((item) => !(item as JsonObject)['$patch'])
  let at = 0
  for (const place of order) {
    if (at === named.length) return
    if (sameKey(named[at], place, key)) at++
  }
  if (at < named.length)
    throw failed(
      `The order in patch list:\n${goValue(patch)}\n doesn't match $setElementOrder list:\n${goValue(order)}\n`,
    )
}

function sameKey(a: unknown, b: unknown, key: string): boolean {
  return key === '' ? a === b : keyOf(a, key) === keyOf(b, key)
}

/**
 * Elements named by `order` stand in that order; the others, in the order of `server`, before the first that they
 * precede there.
 */
function inOrder(merged: List, order: List, server: List, key: string): unknown[] {
  const valueOf = (item: unknown) => (key === '' ? item : keyOf(item, key))
  const places = new Map<unknown, number>()
  for (const [at, item] of order.entries()) if (!places.has(valueOf(item))) places.set(valueOf(item), at)
  const serverPlaces = new Map<unknown, number>()
  for (const [at, item] of server.entries()) if (!serverPlaces.has(valueOf(item))) serverPlaces.set(valueOf(item), at)
  const sorted = (items: unknown[], by: ReadonlyMap<unknown, number>) =>
    items.sort((a, b) => (by.get(valueOf(a)) ?? -1) - (by.get(valueOf(b)) ?? -1))
  const right = sorted(
    merged.filter((item) => places.has(valueOf(item))),
    places,
  )
  const left = sorted(
    merged.filter((item) => !places.has(valueOf(item))),
    serverPlaces,
  )
  const result: unknown[] = []
  let next = 0
  for (const item of right) {
    const place = serverPlaces.get(valueOf(item)) ?? -1
    const isBefore = (other: unknown) => (serverPlaces.get(valueOf(other)) ?? Number.POSITIVE_INFINITY) < place
    while (next < left.length && isBefore(left[next])) result.push(left[next++])
    result.push(item)
  }
  return [...result, ...left.slice(next)]
}

/** Whether the elements of both lists are objects. Throws where they are of more than one type. */
function areObjects(...lists: readonly List[]): boolean {
  const types = new Set(lists.flat(1).map(goTypeName))
  if (types.has('[]interface {}'))
    throw new PatchError(failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}))
  if (types.size > 1) throw failed(`list element types are not identical: ${goValue(lists)}`)
  return lists.some((list) => list.some(isObject))
}

function keyOf(element: unknown, key: string): unknown {
  if (!isObject(element)) throw failed(`expected a map[string]interface {}, but received a ${goTypeName(element)}`)
  if (!Object.hasOwn(element, key)) throw failed(`map: ${goValue(element)} does not contain declared merge key: ${key}`)
  return element[key]
}

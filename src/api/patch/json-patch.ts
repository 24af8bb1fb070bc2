// JSON patches (RFC 6902), with the habits of the library that Kubernetes uses: negative indices count from the end,
// and `replace` of a field that is not there adds it. Nothing is changed in place.

import { kindOfJson } from '#api/decode-context.ts'
import {
  isObject,
  type JsonObject,
  malformed,
  PatchError,
  type Patched,
  patched,
  setField,
  unfit,
} from '#api/patch/patched.ts'
import { tooLarge } from '#api/status.ts'
import { equalJson } from '#lib/equal.ts'

const mostOperations = 10000
/** What all copies of one patch may add up to. */
const mostCopiedBytes = 3 * 1024 * 1024

type Operation = {
  readonly op: string
  readonly path: string
  readonly from: string | undefined
  readonly value: unknown
}

export function applyJsonPatch(object: JsonObject, patch: unknown): Patched {
  return patched(() => {
    const operations = parseOperations(patch)
    let copied = 0
    let result: unknown = object
    for (const operation of operations) {
      if (operation.op === 'copy') {
        copied += JSON.stringify(get(result, pointer(operation.from)) ?? null).length
        if (copied > mostCopiedBytes) throw unfit()
      }
      result = applyOperation(result, operation)
    }
    if (!isObject(result)) throw unfit()
    return result
  })
}

const operationFields = ['op', 'path', 'from', 'value']

/** `[0].form`: fields that mean nothing to a patch. */
export function unknownOperationFields(patch: unknown): string[] {
  if (!Array.isArray(patch)) return []
  return patch.flatMap((operation: unknown, at) =>
    isObject(operation)
      ? Object.keys(operation).flatMap((field) => (operationFields.includes(field) ? [] : `[${at}].${field}`))
      : [],
  )
}

function parseOperations(patch: unknown): Operation[] {
  const cannot = (value: unknown, type: string) =>
    malformed(`json: cannot unmarshal ${kindOfJson(value)} into Go value of type ${type}`)
  if (!Array.isArray(patch)) throw cannot(patch, 'jsonpatch.Patch')
  if (patch.length > mostOperations) {
    const why = `The allowed maximum operations in a JSON patch is ${mostOperations}, got ${patch.length}`
    throw new PatchError(tooLarge(why))
  }
  return patch.map((operation: unknown) => {
    if (!isObject(operation)) throw cannot(operation, 'jsonpatch.Operation')
    const { op, path, from } = operation
    if (typeof op !== 'string' || typeof path !== 'string') throw unfit()
    return { op, path, from: typeof from === 'string' ? from : undefined, value: operation['value'] ?? null }
  })
}

function applyOperation(document: unknown, { op, path, from, value }: Operation): unknown {
  const at = pointer(path)
  switch (op) {
    case 'add':
      return add(document, at, value)
    case 'remove':
      return remove(document, at)
    case 'replace':
      return replace(document, at, value)
    case 'move': {
      const source = pointer(from)
      return add(remove(document, source), at, get(document, source))
    }
    case 'copy':
      return add(document, at, get(document, pointer(from)) ?? null)
    case 'test': {
      const found = at.length === 0 ? document : get(document, at)
      if (!isSame(found ?? null, value)) throw unfit()
      return document
    }
    default:
      throw unfit()
  }
}

/** An empty list is not an absent field here. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) !== Array.isArray(b)) return false
  return equalJson(a, b)
}

/** The steps of a JSON pointer. Throws where it is none. */
function pointer(path: string | undefined): string[] {
  if (path === '') return []
  if (path === undefined || !path.startsWith('/')) throw unfit()
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The value at a path below the root; undefined for a field that its parent does not have. */
function get(document: unknown, path: readonly string[]): unknown {
  if (path.length === 0) throw unfit()
  let value = document
  for (const [at, step] of path.entries()) {
    if (Array.isArray(value)) value = value[indexOf(step, value.length, value.length - 1)]
    else if (isObject(value)) value = Object.hasOwn(value, step) ? value[step] : undefined
    else throw unfit()
    if (value === undefined && at < path.length - 1) throw unfit()
  }
  return value
}

/** Rebuilds what lies on the way to the parent of `path`, which `change` answers anew. */
function changeParent(
  value: unknown,
  path: readonly string[],
  change: (parent: unknown, key: string) => unknown,
): unknown {
  const [step, ...rest] = path
  if (step === undefined) throw unfit()
  if (rest.length === 0) return change(value, step)
  if (Array.isArray(value)) {
    const index = indexOf(step, value.length, value.length - 1)
    return value.with(index, changeParent(value[index], rest, change))
  }
  if (!isObject(value) || !Object.hasOwn(value, step)) throw unfit()
  const result = { ...value }
  setField(result, step, changeParent(value[step], rest, change))
  return result
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  return changeParent(document, path, (parent, key) => {
    if (Array.isArray(parent)) {
      if (key === '-') return [...parent, value]
      return parent.toSpliced(indexOf(key, parent.length + 1, parent.length), 0, value)
    }
    if (!isObject(parent)) throw unfit()
    const result = { ...parent }
    setField(result, key, value)
    return result
  })
}

function remove(document: unknown, path: readonly string[]): unknown {
  return changeParent(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.toSpliced(indexOf(key, parent.length, parent.length - 1), 1)
    if (!isObject(parent) || !Object.hasOwn(parent, key)) throw unfit()
    const { [key]: _, ...rest } = parent
    return rest
  })
}

function replace(document: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value
  return changeParent(document, path, (parent, key) => {
    if (Array.isArray(parent)) return parent.with(indexOf(key, parent.length, parent.length - 1), value)
    if (!isObject(parent)) throw unfit()
    const result = { ...parent }
    setField(result, key, value)
    return result
  })
}

/** An index into a list; a negative one counts back from `length`. */
function indexOf(step: string, length: number, most: number): number {
  if (!/^[+-]?\d+$/.test(step)) throw unfit()
  const index = Number(step) < 0 ? Number(step) + length : Number(step)
  if (index < 0 || index > most) throw unfit()
  return index
}

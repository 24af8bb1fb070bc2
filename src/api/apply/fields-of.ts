// Which fields a configuration speaks of, and whether it is one at all (structured-merge-diff's ToFieldSet and Validate).

import { goTypeName, goValue } from '#api/go-text.ts'
import { isJsonObject } from '#api/apply/json-value.ts'
import { type FieldSet, type FieldSetDraft, insertPath } from '#api/apply/field-set.ts'
import { fieldElement, formatElements, listElement, type PathElement } from '#api/apply/path-element.ts'
import { type Shape, shapeFor } from '#api/apply/shape.ts'

export function fieldsOf(value: unknown, shape: Shape): FieldSet {
  const set: FieldSetDraft = new Map()
  collect(set, [], value, shape)
  return set
}

function collect(set: FieldSetDraft, path: PathElement[], value: unknown, declared: Shape): void {
  const shape = shapeFor(declared, value)
  const isWhole =
    shape.kind === 'scalar' ||
    shape.kind === 'opaque' ||
    (shape.kind === 'list' ? shape.how === 'atomic' : shape.isAtomic)
  if (isWhole) {
    insertPath(set, path)
    return
  }
  if (shape.kind === 'list') {
    if (Array.isArray(value)) collectElements(set, path, value, shape)
  } else if (isJsonObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      const inner = shape.kind === 'struct' ? shape.field(key) : shape.value
      if (item === undefined || inner === undefined) continue
      path.push(fieldElement(key))
      collect(set, path, item, inner)
      const isEmpty = item === null || (isJsonObject(item) && Object.keys(item).length === 0)
      // What is not declared is there because it was put there, like the members of a map.
      if (isEmpty || shape.kind === 'map' || inner.kind === 'any') insertPath(set, path)
      path.pop()
    }
  }
}

function collectElements(
  set: FieldSetDraft,
  path: PathElement[],
  list: readonly unknown[],
  shape: Extract<Shape, { kind: 'list' }>,
): void {
  const elements = list.map((item) => listElement(shape, item))
  for (const [at, element] of elements.entries()) {
    if (element instanceof Error) continue
    path.push(element)
    // An element whose key stands twice has no parts.
    if (elements.indexOf(element) === elements.lastIndexOf(element)) collect(set, path, list[at], shape.element)
    insertPath(set, path)
    path.pop()
  }
}

/** All that keeps a value from being of a shape, as one text; undefined if it is. `isStored`: keys may stand twice. */
export function checkShape(value: unknown, shape: Shape, isStored = false): string | undefined {
  const errors: string[] = []
  check(errors, [], value, shape, isStored)
  if (errors.length <= 1) return errors[0]
  return ['errors:', ...errors.map((error) => `  ${error}`)].join('\n')
}

function check(errors: string[], path: PathElement[], value: unknown, declared: Shape, isStored: boolean): void {
  const shape = shapeFor(declared, value)
  const say = (text: string) => {
    const where = formatElements(path)
    errors.push(where === '' ? text : `${where}: ${text}`)
  }
  if (value === null || value === undefined) return
  switch (shape.kind) {
    case 'opaque':
      return
    case 'scalar': {
      const wrong = wrongScalar(value, shape.accepts)
      if (wrong !== undefined) say(wrong)
      return
    }
    case 'list':
      if (Array.isArray(value)) checkElements(errors, path, value, shape, isStored)
      else say(`expected list, got &{${goValue(value)}}`)
      return
    default:
      if (!isJsonObject(value)) {
        say(`expected map, got &{${goValue(value)}}`)
        return
      }
      for (const [key, item] of Object.entries(value)) {
        const inner = shape.kind === 'struct' ? shape.field(key) : shape.value
        path.push(fieldElement(key))
        if (inner === undefined) errors.push(`${formatElements(path)}: field not declared in schema`)
        else check(errors, path, item, inner, isStored)
        path.pop()
      }
  }
}

function checkElements(
  errors: string[],
  path: PathElement[],
  list: readonly unknown[],
  shape: Extract<Shape, { kind: 'list' }>,
  isStored: boolean,
): void {
  const seen = new Set<PathElement>()
  for (const [at, item] of list.entries()) {
    const element = shape.how === 'atomic' ? `i:${at}` : listElement(shape, item)
    if (element instanceof Error) {
      errors.push(`${formatElements(path)}: element ${at}: ${element.message}`)
      return
    }
    if (seen.has(element) && !isStored)
      errors.push(`${formatElements(path)}: duplicate entries for key ${formatElements([element])}`)
    seen.add(element)
    path.push(element)
    check(errors, path, item, shape.element, isStored)
    path.pop()
  }
}

function wrongScalar(value: unknown, accepts: 'number' | 'string' | 'boolean' | 'any'): string | undefined {
  switch (accepts) {
    case 'number':
      return typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goTypeName(value)}`
    case 'string':
      return typeof value === 'string'
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goValue(value)}}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${goValue(value)}}`
    case 'any':
      return typeof value === 'object' ? `expected any scalar, got &{${goValue(value)}}` : undefined
  }
}

// What a ConfigMap may hold, and what it shares with a Secret: keys that can be file names, a bound on the size, and no
// change once it says that it is immutable.

import type { ConfigMap } from '#api/core.ts'
import { type FieldError, forbidden, invalid, tooLong } from '#api/field-error.ts'
import { byteLength } from '#api/go-text.ts'
import { configMapKey } from '#api/names.ts'
import { equalJson } from '#lib/equal.ts'

const mostBytes = 1024 * 1024

export function validateConfigMap(map: ConfigMap, old: ConfigMap | undefined): FieldError[] {
  const { data = {}, binaryData = {} } = map
  const texts = Object.entries(data)
  const errors = [
    ...checkKeys('data', data),
    ...texts
      .filter(([key]) => key in binaryData)
      .map(([key]) => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
    ...checkKeys('binaryData', binaryData),
  ]
  const textBytes = texts.reduce((sum, [, value]) => sum + byteLength(value), 0)
  if (textBytes + base64Bytes(Object.values(binaryData)) > mostBytes) errors.push(tooLong('[]', mostBytes))
  return [...checkImmutable(map, old, ['data', 'binaryData']), ...errors]
}

export function checkKeys(path: string, data: Readonly<Record<string, string>>): FieldError[] {
  return Object.keys(data).flatMap((key) => configMapKey(key).map((detail) => invalid(`${path}[${key}]`, key, detail)))
}

export function isTooLarge(values: readonly string[]): boolean {
  return base64Bytes(values) > mostBytes
}
export const tooLarge = (path: string): FieldError => tooLong(path, mostBytes)

function base64Bytes(values: readonly string[]): number {
  return values.reduce((sum, value) => sum + Math.floor((value.replaceAll('=', '').length * 3) / 4), 0)
}

export function checkImmutable<T extends { readonly immutable?: boolean }>(
  object: T,
  old: T | undefined,
  fields: readonly (string & keyof T)[],
): FieldError[] {
  if (old?.immutable !== true) return []
  const changed = fields.filter((field) => !equalJson(object[field], old[field]))
  const all = object.immutable === true ? changed : ['immutable', ...changed]
  return all.map((field) => forbidden(field, 'field is immutable when `immutable` is set'))
}

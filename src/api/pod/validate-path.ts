// Paths in volumes: relative to the volume, and never out of it.

import { type FieldError, invalid } from '#api/field-error.ts'

export function checkNoBacksteps(path: string, value: string): FieldError[] {
  return value.split('/').includes('..') ? [invalid(path, value, "must not contain '..'")] : []
}

export function checkDescendingPath(path: string, value: string): FieldError[] {
  return [
    ...(value.startsWith('/') ? [invalid(path, value, 'must be a relative path')] : []),
    ...checkNoBacksteps(path, value),
  ]
}

/** Names that begin with two dots are kept for the files by which volumes are updated. */
export function checkVolumePath(path: string, value: string): FieldError[] {
  const isReserved = value.startsWith('..') && value !== '..' && !value.startsWith('../')
  return [
    ...checkDescendingPath(path, value),
    ...(isReserved ? [invalid(path, value, "must not start with '..'")] : []),
  ]
}

export function checkMode(path: string, mode: number | undefined): FieldError[] {
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return []
  return [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
}

// Counts in specs and statuses of workloads.

import { checkForm, checkNotNegative } from '#api/check-field.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { percent } from '#api/names.ts'

/** A number that is not negative, or a percentage. */
export function checkCountOrPercent(path: string, value: number | string | undefined): FieldError[] {
  if (value === undefined) return []
  return typeof value === 'number' ? checkNotNegative(path, value) : checkForm(path, value, percent)
}

export function checkAtMostAll(path: string, value: number | string | undefined): FieldError[] {
  const isMore = typeof value === 'string' && percent(value).length === 0 && countOf(value) > 100
  return isMore ? [invalid(path, value, 'must not be greater than 100%')] : []
}

/** The number before the percent sign counts as one. */
export function countOf(value: number | string | undefined): number {
  return typeof value === 'number' ? value : Number.parseInt(value ?? '0', 10) || 0
}

/** No part of a whole is larger than it. `parts` and `whole` are fields of `status`. */
export function checkParts<T extends object>(
  status: T,
  whole: keyof T & string,
  parts: readonly (keyof T & string)[],
  name: string = `status.${whole}`,
): FieldError[] {
  const number = (field: keyof T & string) => Number(status[field] ?? 0)
  return parts
    .filter((part) => number(part) > number(whole))
    .map((part) => invalid(`status.${part}`, number(part), `cannot be greater than ${name}`))
}

export function checkCounts<T extends object>(status: T, fields: readonly (keyof T & string)[]): FieldError[] {
  return fields.flatMap((field) => checkNotNegative(`status.${field}`, status[field] as number | undefined))
}

/** Some counters only go up. */
export function checkNotLess(path: string, value: number | undefined, old: number | undefined): FieldError[] {
  return old !== undefined && (value ?? -1) < old ? [invalid(path, value ?? 0, 'cannot be decremented')] : []
}

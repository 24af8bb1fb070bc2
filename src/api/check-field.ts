// Checks of one field that many kinds share.

import { type FieldError, invalid, notSupported, required } from '#api/field-error.ts'
import { portName, portNumber } from '#api/names.ts'

/** One error for each thing that is wrong with the value. */
export function checkForm(path: string, value: string | number, check: (value: never) => string[]): FieldError[] {
  return check(value as never).map((detail) => invalid(path, value, detail))
}

/** The same for a value that may be absent; '' is absent. */
export function checkOptional(
  path: string,
  value: string | undefined,
  check: (value: string) => string[],
): FieldError[] {
  return value ? checkForm(path, value, check) : []
}

/** One of a few words, and not none. */
export function checkWord(path: string, value: string | undefined, words: readonly string[]): FieldError[] {
  if (!value) return [required(path)]
  return words.includes(value) ? [] : [notSupported(path, value, words)]
}

/** One of a few words, or none. */
export function checkOptionalWord(path: string, value: string | undefined, words: readonly string[]): FieldError[] {
  return value === undefined || words.includes(value) ? [] : [notSupported(path, value, words)]
}

export function checkNotNegative(path: string, value: number | undefined): FieldError[] {
  return value === undefined || value >= 0 ? [] : [invalid(path, value, 'must be greater than or equal to 0')]
}

export function checkPositive(path: string, value: number | undefined): FieldError[] {
  return value === undefined || value > 0 ? [] : [invalid(path, value, 'must be greater than zero')]
}

/** A port's number or its name. */
export function checkPortReference(path: string, port: string | number): FieldError[] {
  return typeof port === 'number' ? checkForm(path, port, portNumber) : checkForm(path, port, portName)
}

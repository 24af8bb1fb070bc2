// What is wrong with one field of an object, in the words of Kubernetes (apimachinery's util/validation/field).

import { goJson, quote } from '#api/go-text.ts'
import type { StatusCause } from '#api/meta.ts'

export type FieldErrorKind = keyof typeof words

export type FieldError = {
  /** where: `spec.ports[0].nodePort`, `metadata.annotations[key]` */
  readonly path: string
  readonly kind: FieldErrorKind
  /** the value found; shown only by kinds that show one */
  readonly value?: unknown
  readonly detail: string
}

/** For each kind: the words that begin its text, the reason of its cause, and whether the value is shown. */
const words = {
  Duplicate: ['Duplicate value', 'FieldValueDuplicate', true],
  Forbidden: ['Forbidden', 'FieldValueForbidden', false],
  Internal: ['Internal error', 'InternalError', false],
  Invalid: ['Invalid value', 'FieldValueInvalid', true],
  NotFound: ['Not found', 'FieldValueNotFound', true],
  NotSupported: ['Unsupported value', 'FieldValueNotSupported', true],
  Required: ['Required value', 'FieldValueRequired', false],
  TooFew: ['Too few', 'FieldValueTooFew', true],
  TooLong: ['Too long', 'FieldValueTooLong', false],
  TooMany: ['Too many', 'FieldValueTooMany', true],
  TooShort: ['Too short', 'FieldValueTooShort', false],
  TypeInvalid: ['Invalid value', 'FieldValueTypeInvalid', true],
} as const

export const duplicate = (path: string, value: unknown): FieldError => ({ path, kind: 'Duplicate', value, detail: '' })
export const forbidden = (path: string, detail: string): FieldError => ({ path, kind: 'Forbidden', detail })
export const internal = (path: string, detail: string): FieldError => ({ path, kind: 'Internal', detail })
export const invalid = (path: string, value: unknown, detail: string): FieldError => ({
  path,
  kind: 'Invalid',
  value,
  detail,
})
export const notFound = (path: string, value: unknown): FieldError => ({ path, kind: 'NotFound', value, detail: '' })
export const required = (path: string, detail = ''): FieldError => ({ path, kind: 'Required', detail })
export const typeInvalid = (path: string, value: unknown, detail: string): FieldError => ({
  path,
  kind: 'TypeInvalid',
  value,
  detail,
})

/** `supported` in the order in which they are to be named; Kubernetes sorts most of its lists. */
export function notSupported(path: string, value: unknown, supported: readonly string[]): FieldError {
  const detail = supported.length === 0 ? '' : `supported values: ${supported.map(quote).join(', ')}`
  return { path, kind: 'NotSupported', value, detail }
}

export function tooLong(path: string, mostBytes: number): FieldError {
  return { path, kind: 'TooLong', detail: `may not be more than ${mostBytes} ${mostBytes === 1 ? 'byte' : 'bytes'}` }
}

export function tooLongCharacters(path: string, most: number): FieldError {
  return { path, kind: 'TooLong', detail: `may not be more than ${most} ${most === 1 ? 'character' : 'characters'}` }
}

export function tooMany(path: string, actual: number, most: number): FieldError {
  return {
    path,
    kind: 'TooMany',
    value: actual,
    detail: `must have at most ${most} ${most === 1 ? 'item' : 'items'}`,
  }
}

export function tooFew(path: string, actual: number, least: number): FieldError {
  return {
    path,
    kind: 'TooFew',
    value: actual,
    detail: `must have at least ${least} ${least === 1 ? 'item' : 'items'}`,
  }
}

/** `spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range.` */
export function formatFieldError(error: FieldError): string {
  return `${error.path}: ${formatBody(error)}`
}

/** All of them as one text: each once, in brackets when there are several. */
export function formatFieldErrors(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(formatFieldError))]
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`
}

export function causeOf(error: FieldError): StatusCause {
  return { reason: words[error.kind][1], message: formatBody(error), field: error.path }
}

function formatBody({ kind, value, detail }: FieldError): string {
  const [word, , showsValue] = words[kind]
  const shown = showsValue ? `${word}: ${typeof value === 'string' ? quote(value) : goJson(value)}` : word
  return detail === '' ? shown : `${shown}: ${detail}`
}

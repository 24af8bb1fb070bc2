// The Status answers of the API, in Kubernetes' words (apimachinery's api/errors, release 1.36).

import { causeOf, formatFieldErrors, type FieldError } from '#api/field-error.ts'
import type { Status, StatusCause } from '#api/meta.ts'

/** Ends a request with this answer, from however deep inside. Thrown by the engine, caught once where it answers. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: Status
  constructor(status: Status) {
    super(status.message ?? status.reason ?? 'refused')
    this.status = status
  }
}

/** What a message names: `pods "x"`, `deployments.apps "x"`. */
export type Named = { readonly group: string; readonly plural: string }
type Details = Status['details']

function failure(code: number, reason: string, message: string, details?: Details): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  }
}

export function success(details?: Details): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details }),
  }
}

export const qualified = ({ group, plural }: Named): string => (group === '' ? plural : `${plural}.${group}`)
const detailsOf = ({ group, plural }: Named, name: string): NonNullable<Details> => ({
  ...(name === '' ? {} : { name }),
  ...(group === '' ? {} : { group }),
  kind: plural,
})

export const notFound = (named: Named, name: string): Status =>
  failure(404, 'NotFound', `${qualified(named)} "${name}" not found`, detailsOf(named, name))

export const alreadyExists = (named: Named, name: string): Status =>
  failure(409, 'AlreadyExists', `${qualified(named)} "${name}" already exists`, detailsOf(named, name))

/** What another request made of the name that generateName came up with. */
export const generateNameTaken = (named: Named, name: string): Status => ({
  ...alreadyExists(named, name),
  message: `${qualified(named)} "${name}" already exists, the server was not able to generate a unique name for the object`,
  details: { ...detailsOf(named, name), retryAfterSeconds: 1 },
})

export const conflict = (named: Named, name: string, why: string): Status =>
  failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(named)} "${name}": ${why}`,
    detailsOf(named, name),
  )
export const modified = (named: Named, name: string): Status =>
  conflict(named, name, 'the object has been modified; please apply your changes to the latest version and try again')

export const forbidden = (named: Named, name: string, why: string, causes?: readonly StatusCause[]): Status => {
  const what = qualified(named)
  const subject = name === '' ? `${what} is forbidden` : `${what} "${name}" is forbidden`
  const details = { ...detailsOf(named, name), ...(causes === undefined ? {} : { causes }) }
  return failure(403, 'Forbidden', `${what === '' ? 'forbidden' : subject}: ${why}`, details)
}

/** 422: everything that is wrong with an object. */
export function invalid(
  of: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): Status {
  const qualifiedKind = of.group === '' ? of.kind : `${of.kind}.${of.group}`
  return failure(422, 'Invalid', `${qualifiedKind} "${name}" is invalid: ${formatFieldErrors(errors)}`, {
    ...(name === '' ? {} : { name }),
    ...(of.group === '' ? {} : { group: of.group }),
    kind: of.kind,
    causes: errors.map(causeOf),
  })
}

export const badRequest = (message: string): Status => failure(400, 'BadRequest', message)
export const unauthorized = (): Status => failure(401, 'Unauthorized', 'Unauthorized')
export const unknownPath = (): Status =>
  failure(404, 'NotFound', 'the server could not find the requested resource', {})
export const methodNotAllowed = (): Status =>
  failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
export const methodNotSupported = (named: Named, verb: string): Status =>
  failure(405, 'MethodNotAllowed', `${verb} is not supported on resources of kind "${qualified(named)}"`, {
    ...(named.group === '' ? {} : { group: named.group }),
    kind: named.plural,
  })
export const notAcceptable = (accepted: readonly string[]): Status =>
  failure(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)
export const unsupportedMediaType = (accepted: readonly string[]): Status =>
  failure(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )
export const tooLarge = (mostBytes: number): Status =>
  failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${mostBytes}`)
/** The resource version or continue token is too old. */
export const expired = (message: string): Status => failure(410, 'Expired', message)
export const internal = (message: string): Status =>
  failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
/** 500 with neither reason nor details: what Kubernetes makes of an error that it has no name for. */
export const plainError = (message: string): Status => failure(500, '', message)
export const unavailable = (message: string): Status => failure(503, 'ServiceUnavailable', message)
export const tooManyRequests = (message: string, retryAfterSeconds: number): Status =>
  failure(429, 'TooManyRequests', `Too many requests: ${message}`, { retryAfterSeconds })

/** The client has seen a later revision than this server. */
export const tooLargeResourceVersion = (asked: number, current: number): Status => {
  const message = `Too large resource version: ${asked}, current: ${current}`
  return failure(504, 'Timeout', `Timeout: ${message}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}

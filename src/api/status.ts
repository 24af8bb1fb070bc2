// The Status that answers a request which went wrong, with the texts of Kubernetes (apimachinery's api/errors).

import { causeOf, type FieldError, formatFieldErrors } from '#api/field-error.ts'
import { quote } from '#api/go-text.ts'
import type { Status, StatusCause } from '#api/meta.ts'

/** `deployments` of group `apps`; texts show it as `deployments.apps`. */
export type GroupResource = { readonly group: string; readonly plural: string }
export type GroupKind = { readonly group: string; readonly kind: string }

type Details = NonNullable<Status['details']>

export function failure(code: number, reason: string, message: string, details?: Details): Status {
  const shown = details === undefined ? {} : { details: withoutEmpty(details) }
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    ...shown,
    code,
  }
}

/** What a DELETE answers where the object is gone at once. */
export function success(details?: Details): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details: withoutEmpty(details) }),
  }
}

export function notFound(resource: GroupResource, name: string): Status {
  return failure(404, 'NotFound', `${formatResource(resource)} ${quote(name)} not found`, of(resource, name))
}

/** For a path that no API serves. */
export function noSuchResource(): Status {
  return failure(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function alreadyExists(resource: GroupResource, name: string): Status {
  const message = `${formatResource(resource)} ${quote(name)} already exists`
  return failure(409, 'AlreadyExists', message, of(resource, name))
}

export function generateNameConflict(resource: GroupResource, name: string): Status {
  const message = `${formatResource(resource)} ${quote(name)} already exists, the server was not able to generate a unique name for the object`
  return failure(409, 'AlreadyExists', message, { ...of(resource, name), retryAfterSeconds: 1 })
}

export const objectWasModified =
  'the object has been modified; please apply your changes to the latest version and try again'

export function conflict(resource: GroupResource, name: string, why: string = objectWasModified): Status {
  const message = `Operation cannot be fulfilled on ${formatResource(resource)} ${quote(name)}: ${why}`
  return failure(409, 'Conflict', message, of(resource, name))
}

export function applyConflict(message: string, causes: readonly StatusCause[]): Status {
  return failure(409, 'Conflict', message, { causes })
}

export function invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): Status {
  const what = `${formatKind(kind)} ${quote(name)} is invalid`
  const message = errors.length === 0 ? what : `${what}: ${formatFieldErrors(errors)}`
  const { group, kind: word } = kind
  return failure(422, 'Invalid', message, { name, group, kind: word, causes: errors.map(causeOf) })
}

/** `resource` undefined: of a URL outside the API. */
export function forbidden(resource: GroupResource | undefined, name: string, why: string): Status {
  const what = resource === undefined ? '' : `${formatResource(resource)}${name === '' ? '' : ` ${quote(name)}`} is `
  const details = resource === undefined ? {} : of(resource, name)
  return failure(403, 'Forbidden', `${what}forbidden: ${why}`, details)
}

export function unauthorized(why = 'Unauthorized'): Status {
  return failure(401, 'Unauthorized', why)
}

export function badRequest(message: string): Status {
  return failure(400, 'BadRequest', message)
}

/** For a method that a path of the API does not take. */
export function noSuchMethod(): Status {
  return failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

/** `offered`: media types, as upstream lists them. */
export function notAcceptable(offered: readonly string[]): Status {
  const message = `only the following media types are accepted: ${offered.join(', ')}`
  return failure(406, 'NotAcceptable', message)
}

/** For a PATCH of a type that no resource takes. */
export function noSuchPatch(): Status {
  return failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
}

export function unsupportedMediaType(offered: readonly string[]): Status {
  const message = `the body of the request was in an unknown format - accepted media types include: ${offered.join(', ')}`
  return failure(415, 'UnsupportedMediaType', message)
}

export function tooLarge(why: string): Status {
  return failure(413, 'RequestEntityTooLarge', `Request entity too large: ${why}`)
}

export function gone(message: string): Status {
  return failure(410, 'Gone', message)
}

/** A resource version or continue token that the store has forgotten. */
export function expired(message: string): Status {
  return failure(410, 'Expired', message)
}
export const watchTooOld = 'The resourceVersion for the provided watch is too old.'
export const listTooOld = 'The resourceVersion for the provided list is too old.'
/** With a token that goes on inconsistently, the client may continue all the same. */
export const continueTooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'
export const continueTooOldWithToken =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

/** A list or get at a resource version that is not there yet. */
export function versionTooLarge(wanted: number | string, current: number | string, mayWait = true): Status {
  return failure(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    retryAfterSeconds: mayWait ? 1 : 0,
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  })
}

export function timeout(why: string, retryAfterSeconds = 0): Status {
  return failure(504, 'Timeout', `Timeout: ${why}`, { retryAfterSeconds })
}

export function serverTimeout(resource: GroupResource, operation: string, retryAfterSeconds = 0): Status {
  const message = `The ${operation} operation against ${formatResource(resource)} could not be completed at this time, please try again.`
  return failure(500, 'ServerTimeout', message, { ...of(resource, operation), retryAfterSeconds })
}

export function tooManyRequests(message: string, retryAfterSeconds: number): Status {
  return failure(429, 'TooManyRequests', message, { retryAfterSeconds })
}

export function serviceUnavailable(why: string): Status {
  return failure(503, 'ServiceUnavailable', why)
}

export function internalError(why: string): Status {
  return failure(500, 'InternalError', `Internal error occurred: ${why}`, { causes: [{ message: why }] })
}

/** A Status as an exception, for the few places where a refusal has to leave through many callers. */
export class StatusError extends Error {
  readonly code = 'StatusError'
  readonly status: Status
  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? 'failed', options)
    this.name = 'StatusError'
    this.status = status
  }
}

export function formatResource({ group, plural }: GroupResource): string {
  return group === '' ? plural : `${plural}.${group}`
}

export function formatKind({ group, kind }: GroupKind): string {
  return group === '' ? kind : `${kind}.${group}`
}

/** Upstream puts the plural into `kind` here. */
const of = ({ group, plural }: GroupResource, name: string): Details => ({ name, group, kind: plural })

function withoutEmpty(details: Details): Details {
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== '' && value !== 0)) as Details
}

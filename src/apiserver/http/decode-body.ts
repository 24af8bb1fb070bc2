// The objects in the bodies of requests: parsed by their media type, decoded by the schema, and judged by the field
// validation that the client asked for.

import { decodeValue as decodeTyped } from '#api/decode.ts'
import { quote } from '#api/go-text.ts'
import type { ApiObject, DeleteOptions } from '#api/meta.ts'
import { apiVersionOf } from '#api/resource.ts'
import { decodeMessage } from '#api/protobuf/decode-message.ts'
import { openEnvelope, protobufMediaType } from '#api/protobuf/envelope.ts'
import type { TypeRef } from '#api/type-ref.ts'
import { ok, type Result } from '#api/result.ts'
import { invalid as invalidField } from '#api/field-error.ts'
import { badRequest, invalid, StatusError, unsupportedMediaType } from '#api/status.ts'
import { parseJson, type Parsed } from '#api/json-text.ts'
import { parseYaml } from '#api/yaml-text.ts'
import { toHex } from '#lib/bytes.ts'
import type { FieldValidation } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { ApiRequest } from '#apiserver/http/answer.ts'

/** What a body shall be. */
export type Expected = { readonly type: TypeRef; readonly apiVersion: string; readonly kind: string }
type Warn = (text: string) => void

export const expectedOf = ({ kind }: Served): Expected => ({
  type: kind.type,
  apiVersion: apiVersionOf(kind.resource),
  kind: kind.resource.kind,
})

/** The body as an object of the resource. Throws StatusError. */
export function decodeObject(request: ApiRequest, served: Served, validation: FieldValidation, warn: Warn): ApiObject {
  return decodeBody(request, expectedOf(served), validation, warn)
}

export function decodeBody(
  request: ApiRequest,
  expected: Expected,
  validation: FieldValidation,
  warn: Warn,
): ApiObject {
  return decodeParsed(parseBody(request, expected), expected, validation, warn)
}

/** Plain data (a body, or what a patch made) as an object of the expected kind. Throws StatusError. */
export function decodeParsed(
  { value, problems: found }: Parsed,
  expected: Expected,
  validation: FieldValidation,
  warn: Warn,
): ApiObject {
  refuseOtherKind(value, expected)
  if (typeof expected.type !== 'string') refuseWithoutKind(value, expected)
  const decoded = decodeTyped<ApiObject>(expected.type, value)
  const cannot = (why: string) => new StatusError(badRequest(cannotBeHandled(expected, expected, why)))
  if (decoded.kind === 'error') throw cannot(decoded.message)
  const problems = [...found, ...decoded.problems]
  if (problems.length > 0) {
    if (validation === 'Strict') throw cannot(`strict decoding error: ${problems.join(', ')}`)
    if (validation === 'Warn') for (const problem of problems) warn(problem)
  }
  return { ...decoded.object, apiVersion: expected.apiVersion, kind: expected.kind }
}

/** What a custom resource is, only its own words say. */
function refuseWithoutKind(value: unknown, expected: Expected): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || (value as ApiObject).kind) return
  const text = JSON.stringify(value)
  const why = `Object 'Kind' is missing in '${text}'`
  throw new StatusError(badRequest(unrecognized(expected, why, text)))
}

/** Where it does not even say in words what it is. */
function refuseUnreadable(parsed: object, expected: Expected): void {
  const { apiVersion, kind } = parsed as { readonly apiVersion?: unknown; readonly kind?: unknown }
  for (const [field, value] of Object.entries({ apiVersion, kind })) {
    if (value === undefined || value === null || typeof value === 'string') continue
    const found = typeof value === 'boolean' ? 'bool' : Array.isArray(value) ? 'array' : typeof value
    const why = `couldn't get version/kind; json parse error: json: cannot unmarshal ${found} into Go struct field .${field} of type string`
    throw new StatusError(badRequest(unrecognized(expected, why, JSON.stringify(parsed))))
  }
}

function unrecognized({ kind }: Expected, why: string, text: string): string {
  const shown = text.length > 30 ? `${text.slice(0, 30)} ...` : text
  return `the object provided is unrecognized (must be of type ${kind}): ${why} (${shown})`
}

function refuseOtherKind(parsed: unknown, expected: Expected): void {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return
  refuseUnreadable(parsed, expected)
  const { apiVersion = expected.apiVersion, kind = expected.kind } = parsed as ApiObject
  const found = { apiVersion: apiVersion || expected.apiVersion, kind: kind || expected.kind }
  if (found.kind === expected.kind) {
    if (found.apiVersion === expected.apiVersion) return
    throw new StatusError(
      badRequest(
        `the API version in the data (${found.apiVersion}) does not match the expected API version (${expected.apiVersion})`,
      ),
    )
  }
  if (typeof expected.type !== 'string')
    throw new StatusError(
      invalid({ group: groupOf(expected), kind: found.kind }, nameIn(parsed), [
        invalidField('kind', found.kind, `must be ${expected.kind}`),
      ]),
    )
  const why = `converting (${versionOf(found)}.${found.kind}) to (${expected.type}): unknown conversion`
  throw new StatusError(badRequest(cannotBeHandled(found, expected, why)))
}

const groupOf = ({ apiVersion }: { readonly apiVersion: string }) =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
const nameIn = (parsed: ApiObject) => (typeof parsed.metadata?.name === 'string' ? parsed.metadata.name : '')

const versionOf = ({ apiVersion }: { readonly apiVersion: string }) => apiVersion.split('/').at(-1) ?? ''

const cannotBeHandled = (
  found: { readonly apiVersion: string; readonly kind: string },
  expected: Expected,
  why: string,
) => `${found.kind} in version ${quote(versionOf(found))} cannot be handled as a ${expected.kind}: ${why}`

/** Undefined where there is no body. Throws StatusError. */
export function decodeDeleteOptions(request: ApiRequest): DeleteOptions | undefined {
  if (request.body.length === 0) return undefined
  const expected: Expected = { type: 'meta.DeleteOptions', apiVersion: 'v1', kind: 'DeleteOptions' }
  const { value } = parseBody(request, expected)
  const { kind, apiVersion } = (value ?? {}) as ApiObject
  if (kind && kind !== expected.kind)
    throw new StatusError(
      badRequest(`no kind ${quote(String(kind))} is registered for version ${quote(String(apiVersion))}`),
    )
  const decoded = decodeTyped<DeleteOptions>('meta.DeleteOptions', value)
  if (decoded.kind === 'error') throw new StatusError(badRequest(decoded.message))
  return decoded.object
}

/** Definitions of custom resources, and these themselves, are read as text only. */
const hasProtobuf = ({ type }: Expected) => typeof type === 'string' && !type.startsWith('apiextensions.')

const textTypes = ['application/json', 'application/yaml']
export const bodyTypes = [...textTypes, protobufMediaType]

/** The body as plain data. Throws StatusError. */
export function parseBody(request: ApiRequest, expected: Expected): Parsed {
  const type = mediaTypeOf(request)
  const taken = hasProtobuf(expected) ? bodyTypes : textTypes
  if (!taken.includes(type)) throw new StatusError(unsupportedMediaType(taken))
  const parsed = parseAs(type, request.body, expected)
  if (parsed.kind === 'ok') return parsed.value
  throw new StatusError(
    badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): ${parsed.message} (${summary(request.body)})`,
    ),
  )
}

function parseAs(type: string, body: Uint8Array, expected: Expected): Result<Parsed> {
  switch (type) {
    case protobufMediaType:
      return parseProtobuf(body, expected)
    case 'application/yaml':
      return parseYaml(decoder.decode(body))
    default:
      return parseJson(decoder.decode(body))
  }
}

function parseProtobuf(body: Uint8Array, expected: Expected): Result<Parsed> {
  const envelope = openEnvelope(body)
  if (envelope.kind === 'error') return envelope
  const { apiVersion, kind, raw } = envelope.value
  // A message can be read only as what it is; another kind is refused by name.
  const isOther = kind !== '' && kind !== expected.kind
  const message = isOther || typeof expected.type !== 'string' ? ok({}) : decodeMessage(expected.type, raw)
  if (message.kind === 'error') return message
  return ok({ value: { ...message.value, ...(kind === '' ? {} : { apiVersion, kind }) }, problems: [] })
}

/** How a body begins: text where it may be JSON, else bytes. */
function summary(body: Uint8Array): string {
  const most = 30
  if (body.length === 0) return '<empty>'
  const start = body.subarray(0, most)
  return (body[0] === 123 ? decoder.decode(start) : toHex(start)) + (body.length > most ? ' ...' : '')
}

/** Without its parameters; JSON where the client does not say. */
export const mediaTypeOf = (request: ApiRequest): string =>
  (request.header('content-type') ?? 'application/json').split(';')[0]!.trim().toLowerCase()

const decoder = new TextDecoder()

// The three kinds of PATCH that are patches: what the body says, and what it makes of an object (endpoints/handlers/patch.go).

import { decodeValue } from '#api/decode.ts'
import { invalid } from '#api/field-error.ts'
import { goValue, quote } from '#api/go-text.ts'
import { parseJson, type Parsed } from '#api/json-text.ts'
import type { ApiObject } from '#api/meta.ts'
import { applyJsonPatch, unknownOperationFields } from '#api/patch/json-patch.ts'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject, Patched } from '#api/patch/patched.ts'
import { applyStrategicPatch } from '#api/patch/strategic.ts'
import { badRequest, invalid as invalidStatus, noSuchPatch, StatusError, unsupportedMediaType } from '#api/status.ts'
import { parsePatchOptions, type FieldValidation, type PatchOptions } from '#apiserver/engine/options.ts'
import type { ApiRequest } from '#apiserver/http/answer.ts'
import { mediaTypeOf, type Expected } from '#apiserver/http/decode-body.ts'

export type Patch = {
  readonly options: PatchOptions
  /** The object with the patch, decoded. Throws StatusError. */
  apply(old: ApiObject): ApiObject
}

const forms = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
} as const
type Form = (typeof forms)[keyof typeof forms]
/** A custom resource has no rules for a strategic merge. */
const customForms = Object.keys(forms).filter((type) => !type.includes('strategic'))
const valueForms = Object.keys(forms).filter((type) => !type.includes('apply'))

/** Server-side apply is no patch of values: http/apply.ts. */
export const isApplyRequest = (request: ApiRequest): boolean => formOf(request) === 'apply'

const formOf = (request: ApiRequest): Form | undefined =>
  (forms as Readonly<Record<string, Form | undefined>>)[mediaTypeOf(request)]

/** Throws StatusError. */
export function patchOf(request: ApiRequest, expected: Expected, warn: (text: string) => void): Patch {
  const form = formOf(request)
  const isCustom = typeof expected.type !== 'string'
  if (isCustom && (form === undefined || form === 'strategic')) throw new StatusError(unsupportedMediaType(customForms))
  if (form === undefined) throw new StatusError(noSuchPatch())
  const options = parsePatchOptions(request.query, false)
  const parsed = parsePatch(new TextDecoder().decode(request.body), form)
  return {
    options,
    apply: (old) => patched(form, expected, old, parsed, options.fieldValidation, warn),
  }
}

function parsePatch(text: string, form: Form): Parsed {
  const parsed = parseJson(text)
  if (parsed.kind === 'ok') return form === 'json' ? withOperationProblems(parsed.value) : parsed.value
  throw new StatusError(badRequest(form === 'strategic' ? parsed.message : `error decoding patch: ${parsed.message}`))
}

/** An operation has fields of its own, which are looked at as those of an object are. */
function withOperationProblems({ value, problems }: Parsed): Parsed {
  const unknown = unknownOperationFields(value).map((field) => `unknown field ${quote(field)}`)
  return { value, problems: [...problems, ...unknown].map((problem) => `json patch ${problem}`) }
}

function patched(
  form: Form,
  expected: Expected,
  old: ApiObject,
  { value: patch, problems }: Parsed,
  validation: FieldValidation,
  warn: (text: string) => void,
): ApiObject {
  const result = applyForm(form, expected, old as JsonObject, patch)
  if (result.kind === 'status') throw new StatusError(result.status)
  const refuse = (why: string) => {
    const shown = form === 'strategic' ? goValue(patch) : JSON.stringify(result.value)
    return new StatusError(invalidStatus({ group: '', kind: '' }, '', [invalid('patch', shown, why)]))
  }
  const { apiVersion, kind } = result.value
  if (apiVersion !== expected.apiVersion || kind !== expected.kind)
    throw refuse(`no kind ${quote(goValue(kind))} is registered for version ${quote(goValue(apiVersion))}`)
  const decoded = decodeValue<ApiObject>(expected.type, result.value)
  if (decoded.kind === 'error') throw refuse(decoded.message)
  const found = [...problems, ...decoded.problems]
  if (found.length > 0) {
    if (validation === 'Strict') throw refuse(`strict decoding error: ${found.join(', ')}`)
    if (validation === 'Warn') for (const problem of found) warn(problem)
  }
  return { ...decoded.object, apiVersion: expected.apiVersion, kind: expected.kind }
}

function applyForm(form: Form, expected: Expected, old: JsonObject, patch: unknown): Patched {
  switch (form) {
    case 'json':
      return applyJsonPatch(old, patch)
    case 'merge':
      return applyMergePatch(old, patch)
    case 'strategic':
      return typeof expected.type === 'string'
        ? applyStrategicPatch(expected.type, old, patch)
        : { kind: 'status', status: unsupportedMediaType(customForms) }
    case 'apply':
      return { kind: 'status', status: unsupportedMediaType(valueForms) }
  }
}

// Server-side apply: what the client wants of an object becomes the object, with the record of whose each field is.

import { applyConfig, type Apply } from '#api/apply/apply.ts'
import { withManagedFields } from '#api/apply/record.ts'
import { decodeValue } from '#api/decode.ts'
import type { ApiObject } from '#api/meta.ts'
import { badRequest, StatusError } from '#api/status.ts'
import { parseYaml } from '#api/yaml-text.ts'
import { parsePatchOptions, type PatchOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { ApiRequest } from '#apiserver/http/answer.ts'
import { writeOf } from '#apiserver/http/field-record.ts'

export type Applying = {
  readonly options: PatchOptions
  /** The object with what is applied. Throws StatusError: 409 where others own a field. */
  change(old: ApiObject): ApiObject
  /** An object of what is applied alone. Throws StatusError. */
  create(): ApiObject
}

/** `read` makes of what the client sent what it means for the object. Throws StatusError. */
export function applyOf(
  request: ApiRequest,
  served: Served,
  subresource: string,
  nowMs: () => number,
  warn: (text: string) => void,
  read: (config: unknown) => unknown = (config) => config,
): Applying {
  const options = parsePatchOptions(request.query, true)
  const parsed = parseYaml(new TextDecoder().decode(request.body))
  if (parsed.kind === 'error') throw new StatusError(badRequest(`error decoding YAML: ${parsed.message}`))
  const { value, problems } = parsed.value
  const config = read(value)
  if (problems.length > 0 && options.fieldValidation === 'Strict')
    throw new StatusError(badRequest(`error strict decoding YAML: ${problems.join(', ')}`))
  if (options.fieldValidation === 'Warn') for (const problem of problems) warn(problem)
  const how = (): Apply => ({
    ...writeOf(served, subresource, options.fieldManager, nowMs()),
    kind: served.resource.kind,
    force: options.force,
  })
  return {
    options,
    change: (old) => applied(how(), old, config),
    create: () => applied(how(), undefined, config),
  }
}

function applied(how: Apply, live: ApiObject | undefined, config: unknown): ApiObject {
  const result = applyConfig(how, live, config)
  if (result.kind === 'status') throw new StatusError(result.status)
  const decoded = decodeValue<ApiObject>(how.type, result.object)
  if (decoded.kind === 'error') throw new StatusError(badRequest(decoded.message))
  const object = { ...decoded.object, apiVersion: how.apiVersion, kind: how.kind }
  return withManagedFields(object, result.managedFields)
}

// /openapi/v2 and /openapi/v3: the schemas that clients check against and patch by.

import type { Discovered } from '#api/discovery-document.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import type { Answer, ApiRequest } from '#apiserver/http/answer.ts'

/** Undefined: not a path of these. */
export function answerOpenApi(
  _resources: readonly Discovered[],
  _engine: Engine,
  _request: ApiRequest,
): Answer | undefined {
  return undefined
}

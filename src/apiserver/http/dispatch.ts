// From an authorized request to the code that answers it.

import { internalError, noSuchMethod, noSuchResource, serviceUnavailable, StatusError, tooLarge } from '#api/status.ts'
import type { Status } from '#api/meta.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { statusAnswer, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'
import { answerGet, answerList, answerWatch } from '#apiserver/http/read.ts'
import { answerSubresource } from '#apiserver/http/subresource.ts'
import type { Target } from '#apiserver/http/target.ts'
import { answerCreate, answerDelete, answerDeleteCollection, answerPatch, answerUpdate } from '#apiserver/http/write.ts'
import type { Verb } from '#apiserver/kind.ts'
import { negotiate } from '#apiserver/print/accept.ts'
import { encodeValue } from '#apiserver/print/encode.ts'
import { StoreError } from '#apiserver/store/store.ts'

/** Everything that has no object behind it: reviews, discovery, documents. Undefined: not mine. */
export type Extra = (request: ApiRequest, target: Target) => Promise<Answer | undefined> | Answer | undefined

/** Never throws. `report` gets what nobody expected. */
export async function dispatch(
  engine: Engine,
  request: ApiRequest,
  target: Target,
  extra: Extra,
  report: (error: unknown) => void,
): Promise<Answer> {
  try {
    const other = await extra(request, target)
    if (other !== undefined) return other
    if (target.kind === 'other')
      throw new StatusError(isKnownMethod(request.method) ? noSuchResource() : noSuchMethod())
    const served = engine.served.find(target.group, target.version, target.plural)
    if (served === undefined) throw new StatusError(noSuchResource())
    const answer = await answerResource(engine, request, target, served).catch((error: unknown) =>
      refusal(request, statusOf(error, report)),
    )
    return withWarning(answer, served.kind.deprecated)
  } catch (error) {
    return refusal(request, statusOf(error, report))
  }
}

/** A Status in the form that the client reads. */
function refusal(request: ApiRequest, status: Status): Answer {
  const answer = statusAnswer(status)
  if (answer.kind !== 'bytes' || negotiate(request.header('accept'))?.kind !== 'yaml') return answer
  return { ...answer, contentType: 'application/yaml', parts: [encodeValue({ kind: 'yaml' }, status)] }
}

function withWarning(answer: Answer, text: string | undefined): Answer {
  if (text === undefined || answer.kind !== 'bytes') return answer
  return { ...answer, warnings: [text, ...(answer.warnings ?? [])] }
}

const isKnownMethod = (method: string) => ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method)

type ResourceTarget = Extract<Target, { kind: 'resource' }>

async function answerResource(
  engine: Engine,
  request: ApiRequest,
  target: ResourceTarget,
  served: Served,
): Promise<Answer> {
  const { verb, subresource, name } = target
  const { namespaced } = served.resource
  if (subresource !== '') return answerSubresource(engine, request, served, target)
  const namespace = namespaced ? target.namespace : ''
  if (!namespaced && target.namespace !== '' && target.plural !== 'namespaces') throw new StatusError(noSuchResource())
  const verbs = served.kind.verbs
  if (verbs !== undefined && !verbs.includes(verb as Verb)) throw new StatusError(noSuchMethod())
  // All namespaces can be read at once, but not written.
  const isEverywhere = namespaced && namespace === ''
  const write = { engine, request, served, namespace, name, part: 'main' as const, subresource: '' }
  switch (verb) {
    case 'get':
      return answerGet(engine, request, served, namespace, name)
    case 'list':
      return answerList(engine, request, served, namespace)
    case 'watch':
      return answerWatch(engine, request, served, namespace, name)
    case 'create':
      if (name !== '' || isEverywhere) throw new StatusError(noSuchMethod())
      return answerCreate(write)
    case 'update':
    case 'patch':
      if (name === '') throw new StatusError(noSuchMethod())
      return verb === 'update' ? answerUpdate(write) : answerPatch(write)
    case 'delete':
      return answerDelete(write)
    case 'deletecollection':
      if (isEverywhere) throw new StatusError(noSuchMethod())
      return answerDeleteCollection(write)
    case '':
      throw new StatusError(noSuchMethod())
  }
}

export function statusOf(error: unknown, report: (error: unknown) => void): Status {
  if (error instanceof StatusError) return error.status
  report(error)
  if (error instanceof StoreError)
    return error.code === 'closed' ? serviceUnavailable(error.message) : internalError(error.message)
  if (error instanceof RangeError && /call stack/.test(error.message)) return tooLarge('the body is nested too deeply')
  return internalError(error instanceof Error ? error.message : String(error))
}

// Requests for a part of an object: its status, its scale, or what its kind offers (binding, log, exec, token ...).

import type { ApiObject } from '#api/meta.ts'
import { invalid, noSuchMethod, noSuchResource, StatusError } from '#api/status.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { parseWriteOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { refuseGuarded } from '#apiserver/engine/write.ts'
import { refuseOther, refuseStale, updateObject } from '#apiserver/engine/update.ts'
import { textAnswer, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'
import { decodeBody, decodeObject, expectedOf } from '#apiserver/http/decode-body.ts'
import { answerProxy } from '#apiserver/http/proxy-request.ts'
import { patchOf } from '#apiserver/http/patch.ts'
import { answerGet, findObject, objectAnswer, valueAnswer } from '#apiserver/http/read.ts'
import { answerScale } from '#apiserver/http/scale-request.ts'
import { answerPatch, answerUpdate, warningsOf, writingOf, type WriteTarget } from '#apiserver/http/write.ts'
import type { Target } from '#apiserver/http/target.ts'
import type { WrittenPart } from '#apiserver/kind.ts'

type ResourceTarget = Extract<Target, { kind: 'resource' }>

export async function answerSubresource(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  target: ResourceTarget,
): Promise<Answer> {
  const { kind } = served
  const { subresource, verb, name } = target
  const namespace = served.resource.namespaced ? target.namespace : ''
  const write = { engine, request, served, namespace, name, subresource }
  if (subresource === 'status' && kind.status !== undefined) {
    if (verb === 'get') return answerGet(engine, request, served, namespace, name)
    if (verb === 'update') return answerUpdate({ ...write, part: 'status' })
    if (verb === 'patch') return answerPatch({ ...write, part: 'status' })
    throw new StatusError(noSuchMethod())
  }
  if (subresource === 'scale' && kind.scale !== undefined)
    return answerScale({ ...write, part: 'main' }, verb, kind.scale)
  if (subresource === 'proxy' && kind.proxy !== undefined)
    return answerProxy(engine, request, served, { namespace, asked: name })
  const part = kind.parts?.[subresource]
  if (part !== undefined) return answerPart({ ...write, part: 'any' }, verb, part)
  return answerOwn(engine, request, served, { ...target, namespace })
}

/** A subresource that is the object, of which a write changes one part. */
async function answerPart(target: WriteTarget, verb: string, part: WrittenPart<ApiObject>): Promise<Answer> {
  const { engine, request, served, namespace, name, subresource } = target
  if (!(part.verbs as readonly string[]).includes(verb)) throw new StatusError(noSuchMethod())
  if (verb === 'get') return answerGet(engine, request, served, namespace, name)
  const warnings = warningsOf()
  const patch = verb === 'patch' ? patchOf(request, expectedOf(served), warnings.add) : undefined
  const options = patch?.options ?? parseWriteOptions(request.query, 'UpdateOptions')
  const sent = patch === undefined ? decodeObject(request, served, options.fieldValidation, warnings.add) : undefined
  const nowMs = engine.world.nowMs()
  const produce = (old: ApiObject): ApiObject => {
    const wanted = sent ?? patch!.apply(old)
    if (sent !== undefined) refuseOther(target, sent, old)
    refuseStale({ served, name, unconditional: true }, wanted, old)
    const changed = part.change(wanted, old, nowMs)
    if (changed.kind === 'status') throw new StatusError(changed.status)
    if (changed.kind === 'invalid') throw new StatusError(invalid(served.resource, name, changed.errors))
    return changed.object
  }
  const writing = writingOf(target, options, warnings)
  const outcome = await updateObject(engine, { ...writing, part: 'any', subresource, unconditional: true, produce })
  return objectAnswer(engine, request, served, outcome, 200, warnings.texts)
}

/** A subresource that the kind itself answers. */
async function answerOwn(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  { subresource, verb, namespace, name }: ResourceTarget,
): Promise<Answer> {
  const own = served.kind.subresources?.[subresource]
  if (own === undefined) throw new StatusError(noSuchResource())
  const isServed = (own.verbs as readonly string[]).includes(verb)
  if (!isServed) throw new StatusError(noSuchMethod())
  const { object } = await findObject(served, namespace, name)
  const warnings: string[] = []
  const options = parseWriteOptions(request.query, 'CreateOptions')
  const { group, version, kind, type } = own.kind ?? { ...served.resource, type: served.kind.type }
  const apiVersion = group === '' ? version : `${group}/${version}`
  const body =
    verb === 'get' || request.body.length === 0
      ? undefined
      : decodeBody(request, { type, apiVersion, kind }, options.fieldValidation, (text) => warnings.push(text))
  if (verb !== 'get')
    await refuseGuarded(engine, {
      operation: 'create',
      served,
      subresource,
      user: request.user,
      namespace,
      name,
      object: body,
      old: object,
    })
  const answer = await own.handle({
    verb: verb as 'create' | 'get',
    context: engine.context(verb === 'get' ? 'connect' : 'create', {
      user: request.user,
      namespace,
      name,
      dryRun: options.dryRun,
    }),
    object,
    body,
    query: request.query,
  })
  switch (answer.kind) {
    case 'object':
      return valueAnswer(request, answer.object, answer.code ?? (verb === 'create' ? 201 : 200), warnings)
    case 'text':
      return textAnswer(200, answer.text)
    case 'relay':
      return answer
    case 'status':
      throw new StatusError(answer.status)
    case 'invalid':
      throw new StatusError(invalid({ group, kind }, body?.metadata?.name ?? '', answer.errors))
  }
}

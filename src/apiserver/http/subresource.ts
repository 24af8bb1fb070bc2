// Requests for a part of an object: its status, its scale, or what its kind offers (binding, log, exec, token ...).

import type { ApiObject } from '#api/meta.ts'
import { quote } from '#api/go-text.ts'
import { internalError, invalid, methodNotAllowed, noSuchResource, StatusError } from '#api/status.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { parseWriteOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { refuseGuarded } from '#apiserver/engine/write.ts'
import { refuseStale, updateObject } from '#apiserver/engine/update.ts'
import type { Answer, ApiRequest } from '#apiserver/http/answer.ts'
import { decodeBody, decodeObject, expectedOf } from '#apiserver/http/decode-body.ts'
import { managerOf, trackWrites, writeOf } from '#apiserver/http/field-record.ts'
import { answerProxy } from '#apiserver/http/proxy-request.ts'
import { patchOf } from '#apiserver/http/patch.ts'
import { answerGet, findObject, objectAnswer, valueAnswer } from '#apiserver/http/read.ts'
import { hasReplicas, scaleOf, withScale, type Scale } from '#apiserver/http/scale.ts'
import { answerPatch, answerUpdate, type WriteTarget } from '#apiserver/http/write.ts'
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
  if (subresource === 'status' && kind.status !== undefined) {
    const write: WriteTarget = { engine, request, served, namespace, name, part: 'status' }
    if (verb === 'get') return answerGet(engine, request, served, namespace, name)
    if (verb === 'update') return answerUpdate(write)
    if (verb === 'patch') return answerPatch(write)
    throw new StatusError(methodNotAllowed(served, verb))
  }
  if (subresource === 'scale' && kind.scale !== undefined)
    return answerScale(engine, request, served, { namespace, name, verb, paths: kind.scale })
  if (subresource === 'proxy' && kind.proxy !== undefined)
    return answerProxy(engine, request, served, { namespace, asked: name })
  const part = kind.parts?.[subresource]
  if (part !== undefined) return answerPart({ engine, request, served, namespace, name, part: 'any' }, target, part)
  return answerOwn(engine, request, served, { ...target, namespace })
}

/** A subresource that is the object, of which a write changes one part. */
async function answerPart(
  { engine, request, served, namespace, name }: WriteTarget,
  { verb, subresource }: ResourceTarget,
  part: WrittenPart<ApiObject>,
): Promise<Answer> {
  if (!(part.verbs as readonly string[]).includes(verb)) throw new StatusError(methodNotAllowed(served, verb))
  if (verb === 'get') return answerGet(engine, request, served, namespace, name)
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const patch = verb === 'patch' ? patchOf(request, expectedOf(served), warn) : undefined
  const options = patch?.options ?? parseWriteOptions(request.query, 'UpdateOptions')
  const sent = patch === undefined ? decodeObject(request, served, options.fieldValidation, warn) : undefined
  const nowMs = engine.world.nowMs()
  const produce = (old: ApiObject): ApiObject => {
    const wanted = sent ?? patch!.apply(old)
    refuseStale({ served, name, unconditional: true }, wanted, old)
    const changed = part.change(wanted, old, nowMs)
    if (changed.kind === 'status') throw new StatusError(changed.status)
    if (changed.kind === 'invalid') throw new StatusError(invalid(served.resource, name, changed.errors))
    return changed.object
  }
  const manager = managerOf(options.fieldManager, request.header('user-agent'))
  const outcome = await updateObject(engine, {
    served,
    namespace,
    name,
    user: request.user,
    dryRun: options.dryRun,
    part: 'any',
    subresource,
    unconditional: true,
    manage: trackWrites(() => writeOf(served, subresource, manager, nowMs)),
    warn,
    produce,
  })
  return objectAnswer(engine, request, served, outcome, 200, warnings)
}

const scaleExpected = { type: 'autoscaling.Scale', apiVersion: 'autoscaling/v1', kind: 'Scale' }
type ScaleTarget = {
  readonly namespace: string
  readonly name: string
  readonly verb: string
  readonly paths: NonNullable<Served['kind']['scale']>
}

async function answerScale(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  { namespace, name, verb, paths }: ScaleTarget,
): Promise<Answer> {
  if (verb === 'get') {
    const { object } = await findObject(served, namespace, name)
    if (served.kind.custom !== undefined && !hasReplicas(object, paths)) {
      const why = `the spec replicas field ${quote(paths.specReplicas)} does not exist`
      throw new StatusError(internalError(why))
    }
    return valueAnswer(request, scaleOf(object, paths))
  }
  if (verb !== 'update' && verb !== 'patch') throw new StatusError(methodNotAllowed(served, verb))
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const patch = verb === 'patch' ? patchOf(request, scaleExpected, warn) : undefined
  const options = patch?.options ?? parseWriteOptions(request.query, 'UpdateOptions')
  const scale = (old: ApiObject): Scale =>
    (patch === undefined
      ? decodeBody(request, scaleExpected, options.fieldValidation, warn)
      : patch.apply(scaleOf(old, paths))) as Scale
  const outcome = await updateObject(engine, {
    served,
    namespace,
    name,
    user: request.user,
    dryRun: options.dryRun,
    part: 'main',
    unconditional: true,
    manage: trackWrites(() => {
      const manager = managerOf(options.fieldManager, request.header('user-agent'))
      return writeOf(served, 'scale', manager, engine.world.nowMs())
    }),
    warn,
    produce: (old) => withScale(old, scale(old), paths),
  })
  return valueAnswer(request, scaleOf(outcome.object, paths), 200, warnings)
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
  if (!isServed) throw new StatusError(methodNotAllowed(served, verb))
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
    case 'relay':
      return answer
    case 'status':
      throw new StatusError(answer.status)
    case 'invalid':
      throw new StatusError(invalid({ group, kind }, name, answer.errors))
  }
}

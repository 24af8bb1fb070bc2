// Requests for the /scale of an object: what they say of the object itself.

import { quote } from '#api/go-text.ts'
import type { ApiObject } from '#api/meta.ts'
import { internalError, noSuchMethod, StatusError } from '#api/status.ts'
import { parseWriteOptions } from '#apiserver/engine/options.ts'
import { refuseMisplaced, refuseOther, updateObject } from '#apiserver/engine/update.ts'
import type { Answer } from '#apiserver/http/answer.ts'
import { applyOf } from '#apiserver/http/apply.ts'
import { decodeBody } from '#apiserver/http/decode-body.ts'
import { isApplyRequest, patchOf } from '#apiserver/http/patch.ts'
import { findObject, valueAnswer } from '#apiserver/http/read.ts'
import {
  configOfScale,
  hasReplicas,
  scaleExpected,
  scaleOf,
  withScale,
  type Scale,
  type ScalePaths,
} from '#apiserver/http/scale.ts'
import { warningsOf, writingOf, type Warnings, type WriteTarget } from '#apiserver/http/write.ts'

export async function answerScale(target: WriteTarget, verb: string, paths: ScalePaths): Promise<Answer> {
  const { engine, request, served, namespace, name } = target
  if (verb === 'get') {
    const { object } = await findObject(served, namespace, name)
    if (served.kind.custom === undefined || hasReplicas(object, paths))
      return valueAnswer(request, scaleOf(object, paths))
    const why = `the spec replicas field ${quote(paths.specReplicas)} does not exist`
    throw new StatusError(internalError(why))
  }
  if (verb !== 'update' && verb !== 'patch') throw new StatusError(noSuchMethod())
  const warnings = warningsOf()
  const isApply = verb === 'patch' && isApplyRequest(request)
  const change = isApply ? appliedTo(target, paths, warnings) : writtenTo(target, verb, paths, warnings)
  const outcome = await updateObject(engine, { ...change, part: 'main', unconditional: true })
  return valueAnswer(request, scaleOf(outcome.object, paths), 200, warnings.texts)
}

/** Server-side apply of a Scale is one of the object with nothing but its replicas. */
function appliedTo(target: WriteTarget, paths: ScalePaths, warnings: Warnings) {
  const { engine, request, served, subresource } = target
  const read = (config: unknown) => configOfScale(config, served, paths)
  const apply = applyOf(request, served, subresource, () => engine.world.nowMs(), warnings.add, read)
  const produce = (old: ApiObject) => {
    const object = apply.change(old)
    refuseMisplaced(target, object)
    return withScale(object, scaleOf(object, paths), paths)
  }
  return { ...writingOf(target, apply.options, warnings), manage: (object: ApiObject) => object, produce }
}

function writtenTo(target: WriteTarget, verb: 'update' | 'patch', paths: ScalePaths, warnings: Warnings) {
  const { request } = target
  const patch = verb === 'patch' ? patchOf(request, scaleExpected, warnings.add) : undefined
  const options = patch?.options ?? parseWriteOptions(request.query, 'UpdateOptions')
  const produce = (old: ApiObject) => {
    const scale = patch
      ? patch.apply(scaleOf(old, paths))
      : decodeBody(request, scaleExpected, options.fieldValidation, warnings.add)
    refuseOther(target, scale, old)
    return withScale(old, scale as Scale, paths)
  }
  return { ...writingOf(target, options, warnings), produce }
}

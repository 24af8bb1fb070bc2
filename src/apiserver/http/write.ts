// POST, PUT, PATCH and DELETE of objects.

import type { ApiObject, DeleteOptions } from '#api/meta.ts'
import { badRequest, conflict, StatusError } from '#api/status.ts'
import { createObject } from '#apiserver/engine/create.ts'
import { answerDeleted, deleteObject } from '#apiserver/engine/delete.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { listObjects } from '#apiserver/engine/list.ts'
import { parseDeleteOptions, parseWriteOptions, type WriteOptions } from '#apiserver/engine/options.ts'
import { keyIn, type Served } from '#apiserver/engine/served.ts'
import { refuseMisplaced, refuseOther, updateObject, type Part } from '#apiserver/engine/update.ts'
import type { Outcome, Writing } from '#apiserver/engine/write.ts'
import type { Answer, ApiRequest } from '#apiserver/http/answer.ts'
import { decodeDeleteOptions, decodeObject, expectedOf } from '#apiserver/http/decode-body.ts'
import { applyOf } from '#apiserver/http/apply.ts'
import { managerOf, trackWrites, writeOf } from '#apiserver/http/field-record.ts'
import { isApplyRequest, patchOf } from '#apiserver/http/patch.ts'
import { listOptionsOf, objectAnswer, valueAnswer } from '#apiserver/http/read.ts'

/** What a write is about. */
export type WriteTarget = {
  readonly engine: Engine
  readonly request: ApiRequest
  readonly served: Served
  readonly namespace: string
  readonly name: string
  readonly part: Part
  /** '' for the object itself */
  readonly subresource: string
}

export type Warnings = { readonly texts: string[]; add(text: string): void }

export function warningsOf(): Warnings {
  const texts: string[] = []
  return { texts, add: (text) => void (texts.includes(text) || texts.push(text)) }
}

export function writingOf(target: WriteTarget, options: WriteOptions, warnings: Warnings): Writing {
  const { engine, request, served, namespace, name, subresource } = target
  return {
    served,
    namespace,
    name,
    user: request.user,
    dryRun: options.dryRun,
    manage: trackWrites(() => {
      const manager = managerOf(options.fieldManager, request.header('user-agent'))
      return writeOf(served, subresource, manager, engine.world.nowMs())
    }),
    warn: warnings.add,
  }
}

const misplaced = 'the namespace of the provided object does not match the namespace sent on the request'

/** The namespace of the path is the object's; a body that says otherwise is refused. */
function placed({ served, namespace }: WriteTarget, object: ApiObject): ApiObject {
  const { namespace: said = '', ...metadata } = object.metadata ?? {}
  const where = served.resource.namespaced ? namespace : ''
  if (said !== '' && said !== where) throw new StatusError(badRequest(misplaced))
  return { ...object, metadata: where === '' ? metadata : { ...metadata, namespace } }
}

export async function answerCreate(target: WriteTarget): Promise<Answer> {
  const { engine, request, served } = target
  const warnings = warningsOf()
  const options = parseWriteOptions(request.query, 'CreateOptions')
  const sent = placed(target, decodeObject(request, served, options.fieldValidation, warnings.add))
  const outcome = await createObject(engine, writingOf(target, options, warnings), sent)
  return objectAnswer(engine, request, served, outcome, 201, warnings.texts)
}

export async function answerUpdate(target: WriteTarget): Promise<Answer> {
  const { engine, request, served } = target
  const { kind } = served
  const warnings = warningsOf()
  const options = parseWriteOptions(request.query, 'UpdateOptions')
  const sent = placed(target, decodeObject(request, served, options.fieldValidation, warnings.add))
  refuseMisplaced(target, sent)
  const writing = writingOf(target, options, warnings)
  if (kind.createOnUpdate && target.part === 'main' && !(await isThere(target))) {
    const { resourceVersion: _, ...metadata } = sent.metadata ?? {}
    const outcome = await createObject(engine, writing, { ...sent, metadata })
    return objectAnswer(engine, request, served, outcome, 201, warnings.texts)
  }
  const outcome = await updateObject(engine, {
    ...writing,
    part: target.part,
    unconditional: kind.unconditionalUpdate ?? true,
    produce: (old) => {
      refuseOther(target, sent, old)
      return sent
    },
  })
  return objectAnswer(engine, request, served, outcome, 200, warnings.texts)
}

async function isThere({ served, namespace, name }: WriteTarget): Promise<boolean> {
  await served.cache.fresh()
  return served.cache.get(keyIn(served, namespace, name)) !== undefined
}

export async function answerPatch(target: WriteTarget): Promise<Answer> {
  if (isApplyRequest(target.request)) return answerApply(target)
  const { engine, request, served } = target
  const warnings = warningsOf()
  const patch = patchOf(request, expectedOf(served), warnings.add)
  const outcome = await updateObject(engine, {
    ...writingOf(target, patch.options, warnings),
    part: target.part,
    unconditional: true,
    produce: (old) => {
      const patched = patch.apply(old)
      refuseMisplaced(target, patched)
      return patched
    },
  })
  return objectAnswer(engine, request, served, outcome, 200, warnings.texts)
}

/** Server-side apply: makes the object where there is none, and keeps the record of fields itself. */
async function answerApply(target: WriteTarget): Promise<Answer> {
  const { engine, request, served, name, part, subresource } = target
  const warnings = warningsOf()
  const apply = applyOf(request, served, subresource, () => engine.world.nowMs(), warnings.add)
  const writing: Writing = { ...writingOf(target, apply.options, warnings), manage: (object) => object }
  if (part === 'main' && !(await isThere(target))) {
    const made = placed(target, apply.create())
    refuseMisplaced(target, made)
    const { uid } = made.metadata ?? {}
    if (uid) throw new StatusError(conflict(served, name, noSuchUid(uid)))
    const outcome = await unlessThere(() => createObject(engine, writing, made))
    if (outcome !== undefined) return objectAnswer(engine, request, served, outcome, 201, warnings.texts)
  }
  const produce = (old: ApiObject) => {
    const applied = apply.change(old)
    refuseMisplaced(target, applied)
    return applied
  }
  const outcome = await updateObject(engine, { ...writing, part, unconditional: true, produce })
  return objectAnswer(engine, request, served, outcome, 200, warnings.texts)
}

const noSuchUid = (uid: string) =>
  `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`

/** Undefined where someone else was faster. */
async function unlessThere(create: () => Promise<Outcome>): Promise<Outcome | undefined> {
  try {
    return await create()
  } catch (error) {
    if (error instanceof StatusError && error.status.reason === 'AlreadyExists') return undefined
    throw error
  }
}

export async function answerDelete(target: WriteTarget): Promise<Answer> {
  const { engine, request, served } = target
  const options = parseDeleteOptions(request.query, decodeDeleteOptions(request))
  const dryRun = options.dryRun !== undefined && options.dryRun.length > 0
  const writing = writingOf(target, { dryRun, fieldManager: '', fieldValidation: 'Ignore' }, warningsOf())
  const deleted = await deleteObject(engine, writing, options)
  const answer = answerDeleted(served, deleted)
  const warnings = deleteWarnings(served, options)
  return answer.kind === 'Status'
    ? valueAnswer(request, answer, 200, warnings)
    : objectAnswer(engine, request, served, deleted, 200, warnings)
}

function deleteWarnings({ kind }: Served, { propagationPolicy, orphanDependents }: DeleteOptions): readonly string[] {
  const isChosen = propagationPolicy !== undefined || orphanDependents !== undefined
  return kind.deleteWarning === undefined || isChosen ? [] : [kind.deleteWarning]
}

/** At most so many of a collection are deleted side by side. */
const sideBySide = 64

export async function answerDeleteCollection(target: WriteTarget): Promise<Answer> {
  const { engine, request, served, namespace } = target
  const options = parseDeleteOptions(request.query, decodeDeleteOptions(request))
  const dryRun = options.dryRun !== undefined && options.dryRun.length > 0
  const { entries, metadata } = await listObjects(served, namespace, listOptionsOf(request, served, false))
  const { preconditions: _, ...each } = options
  const queue = [...entries]
  const work = async () => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      const one: WriteTarget = { ...target, namespace: entry.namespace, name: entry.name }
      const writing = writingOf(one, { dryRun, fieldManager: '', fieldValidation: 'Ignore' }, warningsOf())
      await deleteObject(engine, writing, each).catch((error: unknown) => {
        if (!(error instanceof StatusError) || error.status.reason !== 'NotFound') throw error
      })
    }
  }
  await Promise.all(Array.from({ length: Math.min(sideBySide, queue.length) }, work))
  const items = entries.map(({ object }) => object)
  const list = { kind: `${served.resource.kind}List`, apiVersion: served.apiVersion, metadata, items }
  return valueAnswer(request, list, 200, deleteWarnings(served, options))
}

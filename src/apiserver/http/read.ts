// GET of one object, LIST and WATCH.

import { badRequest, failure, notAcceptable, notFound, StatusError, versionTooLarge } from '#api/status.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { listObjects } from '#apiserver/engine/list.ts'
import { parseListOptions, parseVersion, type ListOptions } from '#apiserver/engine/options.ts'
import { keyIn, type Served } from '#apiserver/engine/served.ts'
import { watchObjects } from '#apiserver/engine/watch.ts'
import type { Outcome } from '#apiserver/engine/write.ts'
import type { Answer, ApiRequest } from '#apiserver/http/answer.ts'
import { acceptedTypes, contentTypeOf, negotiate, type Include, type Representation } from '#apiserver/print/accept.ts'
import { encodeList, encodeObject, encodeValue, watchEncoder } from '#apiserver/print/encode.ts'

/** How the client wants the answer. Throws StatusError 406. */
export function representationOf(request: ApiRequest): Representation {
  const include = request.query.get('includeObject') || 'Metadata'
  if (!['Metadata', 'Object', 'None'].includes(include))
    throw new StatusError(
      badRequest(
        `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
      ),
    )
  const representation = negotiate(request.header('accept'), include as Include)
  if (representation === undefined) throw new StatusError(notAcceptable(acceptedTypes))
  return representation
}

export function objectAnswer(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  outcome: Outcome,
  code = 200,
  warnings: readonly string[] = [],
): Answer {
  const representation = representationOf(request)
  const bytes = encodeObject(representation, served, outcome, engine.world.nowMs())
  return { kind: 'bytes', code, contentType: contentTypeOf(representation), parts: [bytes], warnings }
}

/** A value of another kind than the resource's own: a Scale, a Status, a review. */
export function valueAnswer(request: ApiRequest, value: unknown, code = 200, warnings: readonly string[] = []): Answer {
  const wanted = representationOf(request)
  const representation: Representation = wanted.kind === 'yaml' ? wanted : { kind: 'json' }
  const parts = [encodeValue(representation, value)]
  return { kind: 'bytes', code, contentType: contentTypeOf(representation), parts, warnings }
}

/** The object of a request's path. Throws StatusError 404. */
export async function findObject(served: Served, namespace: string, name: string): Promise<Outcome> {
  await served.cache.fresh()
  const entry = served.cache.get(keyIn(served, namespace, name))
  if (entry === undefined) throw new StatusError(notFound(served, name))
  return { object: entry.object, entry }
}

export async function answerGet(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  namespace: string,
  name: string,
): Promise<Answer> {
  const wanted = parseVersion(request.query.get('resourceVersion') ?? '')
  if (typeof wanted === 'string') throw new StatusError(failure(500, '', wanted))
  if (wanted !== undefined) {
    const current = await served.cache.fresh()
    if (wanted > current) throw new StatusError(versionTooLarge(wanted, current))
  }
  return objectAnswer(engine, request, served, await findObject(served, namespace, name))
}

export function listOptionsOf(request: ApiRequest, served: Served, isWatch: boolean): ListOptions {
  return parseListOptions(request.query, { fields: served.fieldNames }, isWatch)
}

/** `name`: of a watch of one object, where the path of the request says so. */
function watchOptionsOf(request: ApiRequest, served: Served, name: string): ListOptions {
  const options = listOptionsOf(request, served, true)
  if (name === '') return options
  return { ...options, fields: [...options.fields, { field: 'metadata.name', equals: true, value: name }] }
}

export async function answerList(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  namespace: string,
): Promise<Answer> {
  const representation = representationOf(request)
  const options = listOptionsOf(request, served, false)
  const { entries, metadata } = await listObjects(served, namespace, options)
  return {
    kind: 'bytes',
    code: 200,
    contentType: contentTypeOf(representation),
    parts: encodeList(representation, served, entries, metadata, engine.world.nowMs()),
  }
}

/** A watch without a time of its own ends after half an hour to an hour: not all at the same time. */
const leastWatchSeconds = 1800

export function answerWatch(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  namespace: string,
  name: string,
): Answer {
  const representation = representationOf(request)
  const options = watchOptionsOf(request, served, name)
  const seconds = options.timeoutSeconds ?? leastWatchSeconds + engine.world.random(leastWatchSeconds)
  return {
    kind: 'watch',
    contentType: contentTypeOf(representation.kind === 'yaml' ? { kind: 'json' } : representation),
    encode: watchEncoder(representation, served),
    bookmarks: options.bookmarks,
    timeoutMs: seconds * 1000,
    ended: served.ended,
    open: (sink) => watchObjects(served, namespace, options, sink),
    revision: () => served.cache.revision,
  }
}

// A new object: made whole, checked, and written if its name is free.

import { failure, alreadyExists, forbidden, generateNameConflict, notFound, StatusError } from '#api/status.ts'
import type { ApiObject } from '#api/meta.ts'
import { valueOf } from '#apiserver/cache/entry.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { checkMetadata, generateName, metadataOnCreate } from '#apiserver/engine/metadata.ts'
import { keyIn, type Served } from '#apiserver/engine/served.ts'
import {
  entryAtRevision,
  nameOf,
  namespaceOf,
  refuseGuarded,
  refuseInvalid,
  take,
  warnAll,
  withRevision,
  type Outcome,
  type Writing,
} from '#apiserver/engine/write.ts'

/** How often a taken name is generated anew. */
const mostNames = 8

/** `sent` is decoded and has the request's namespace. Throws StatusError. */
export async function createObject(engine: Engine, writing: Writing, sent: ApiObject): Promise<Outcome> {
  if (sent.metadata?.resourceVersion)
    throw new StatusError(failure(500, '', 'resourceVersion should not be set on objects to be created'))
  for (let attempt = 1; ; attempt++) {
    const outcome = await createOnce(engine, writing, sent)
    if (outcome.kind === 'done') return outcome
    const isGenerated = !sent.metadata?.name && sent.metadata?.generateName
    if (isGenerated && attempt < mostNames) continue
    const say = isGenerated ? generateNameConflict : alreadyExists
    throw new StatusError(say(writing.served, outcome.name))
  }
}

type Attempt = ({ readonly kind: 'done' } & Outcome) | { readonly kind: 'taken'; readonly name: string }

async function createOnce(engine: Engine, writing: Writing, sent: ApiObject): Promise<Attempt> {
  const { served, namespace, dryRun, user } = writing
  const { kind } = served
  const metadata = metadataOnCreate(sent.metadata ?? {}, {
    namespace,
    uid: engine.world.uuid(),
    nowMs: engine.world.nowMs(),
    hasGeneration: kind.generation !== undefined,
  })
  const name = metadata.name || (metadata.generateName ? generateName(metadata.generateName, engine.world.random) : '')
  const context = engine.context('create', { user, namespace, name, dryRun })
  let object: ApiObject = { ...sent, metadata: name === '' ? metadata : { ...metadata, name } }
  await refuseNamespace(engine, served, namespace, name)
  object = writing.manage(kind.default?.(object) ?? object, undefined)
  await refuseGuarded(engine, { ...writing, operation: 'create', subresource: '', name, object, old: undefined })
  object = kind.prepareCreate?.(object, context) ?? object
  const taken = await take(served, object, dryRun, kind.admit?.create?.(object, context))
  try {
    object = taken.object
    refuseInvalid(served, object, [
      ...checkMetadata(object.metadata ?? {}, served.resource.namespaced, kind.name?.bind(kind), kind.anyFinalizer),
      ...(kind.validate?.(object, undefined) ?? []),
    ])
    warnAll(writing, object, undefined)
    const attempt = await write(engine, served, keyIn(served, namespace, name), object, dryRun)
    if (attempt.kind === 'done') await taken.commit()
    else await taken.revert()
    return attempt
  } catch (error) {
    await taken.revert()
    throw error
  }
}

async function write(
  engine: Engine,
  served: Served,
  key: string,
  object: ApiObject,
  dryRun: boolean,
): Promise<Attempt> {
  if (dryRun) {
    await served.cache.fresh()
    return served.cache.get(key) === undefined ? { kind: 'done', object } : { kind: 'taken', name: nameOf(object) }
  }
  // It has the new object as soon as the store does.
  await served.cache.following()
  const value = valueOf(object)
  const { ttlSeconds } = served.kind
  const written = await served.store.create(served.prefix + key, value, ttlSeconds === undefined ? {} : { ttlSeconds })
  if (!written.done) return { kind: 'taken', name: nameOf(object) }
  const entry = entryAtRevision(served, key, written.revision)
  return { kind: 'done', object: entry?.object ?? withRevision(object, written.revision), entry }
}

/** Nothing is made in a namespace that is not there or is going away. */
async function refuseNamespace(engine: Engine, served: Served, namespace: string, name: string): Promise<void> {
  if (!served.resource.namespaced || namespace === '') return
  const found = await namespaceOf(engine, namespace)
  if (found === undefined) throw new StatusError(notFound({ group: '', plural: 'namespaces' }, namespace))
  if (found.metadata?.deletionTimestamp === undefined) return
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`
  const status = forbidden(served, name, why)
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  throw new StatusError({ ...status, details: { ...status.details, causes: [cause] } })
}

// A changed object: whatever makes the new one (a PUT, a patch, the server itself), what the server owns is kept, the
// result is checked, and it is written if no one else wrote in between.

import { withoutTimeChanges } from '#api/apply/record.ts'
import { invalid, typeInvalid, type FieldError } from '#api/field-error.ts'
import type { ApiObject } from '#api/meta.ts'
import { badRequest, conflict, invalid as invalidStatus, notFound, StatusError } from '#api/status.ts'
import { equalJson } from '#lib/equal.ts'
import { valueOf, type Entry } from '#apiserver/cache/entry.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { checkMetadata, checkMetadataUpdate, isNewGeneration, metadataOnUpdate } from '#apiserver/engine/metadata.ts'
import { keyIn } from '#apiserver/engine/served.ts'
import {
  entryAtRevision,
  refuseGuarded,
  refuseInvalid,
  take,
  warnAll,
  withRevision,
  type Outcome,
  type Writing,
} from '#apiserver/engine/write.ts'
import { removeNow } from '#apiserver/engine/remove.ts'
import type { AdmitContext, Kind } from '#apiserver/kind.ts'

/** What of the object changes: all of it by the rules of its kind, its status only, or anything (the server itself). */
export type Part = 'main' | 'status' | 'any'

export type Updating = Writing & {
  readonly part: Part
  /** as which authorization and record know the part */
  readonly subresource?: string
  /** The new object from what is there. Called anew each time that someone else was faster. */
  produce(old: ApiObject): ApiObject | Promise<ApiObject>
  /** whether an object without a resourceVersion may replace whatever is there; a PUT's is the kind's choice */
  readonly unconditional: boolean
}

/** A client that names no resourceVersion meets other writers this often before it hears of a conflict. */
const mostAttempts = 20

/** Throws StatusError; 404 where there is nothing to change. */
export async function updateObject(engine: Engine, updating: Updating): Promise<Outcome> {
  const { served, namespace, name } = updating
  const key = keyIn(served, namespace, name)
  for (let attempt = 1; ; attempt++) {
    await served.cache.fresh()
    const entry = served.cache.get(key)
    if (entry === undefined) throw new StatusError(notFound(served, name))
    const outcome = await updateOnce(engine, updating, key, entry)
    if (outcome !== undefined) return outcome
    if (attempt >= mostAttempts) throw new StatusError(conflict(served, name))
  }
}

/** Undefined: someone else wrote in between. */
async function updateOnce(engine: Engine, updating: Updating, key: string, entry: Entry): Promise<Outcome | undefined> {
  const { served, dryRun, part } = updating
  const { kind } = served
  const old = entry.object
  const produced = await updating.produce(old)
  if (produced === old) return { object: old, entry }
  refuseStale(updating, produced, old)
  const context = engine.context('update', updating)
  let object = merged(kind, part, produced, old, context)
  const { subresource = part === 'status' ? 'status' : '' } = updating
  await refuseGuarded(engine, { ...updating, operation: 'update', subresource, object, old })
  object = updating.manage(object, old)
  object = prepared(kind, part, object, old, context)
  if (isNewGeneration(kind.generation, object, old))
    object = { ...object, metadata: { ...object.metadata, generation: (old.metadata?.generation ?? 0) + 1 } }
  const taken = await take(
    served,
    object,
    dryRun,
    part === 'main' ? kind.admit?.update?.(object, old, context) : undefined,
  )
  try {
    object = taken.object
    refuseInvalid(served, object, errorsOf(updating, object, old))
    warnAll(updating, object, old)
    const outcome = await write(engine, updating, key, entry, object)
    if (outcome === undefined) await taken.revert()
    else await taken.commit()
    return outcome
  } catch (error) {
    await taken.revert()
    throw error
  }
}

/** A whole object that a client sends is another one where its UID is another. Throws StatusError. */
export function refuseOther(
  { served, name }: Pick<Updating, 'served' | 'name'>,
  sent: ApiObject,
  old: ApiObject,
): void {
  const uid = sent.metadata?.uid
  if (!uid || uid === old.metadata?.uid) return
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata?.uid}`
  throw new StatusError(conflict(served, name, why))
}

/** A client that has seen another version is told so. Throws StatusError. */
export function refuseStale(
  { served, name, unconditional }: Pick<Updating, 'served' | 'name' | 'unconditional'>,
  object: ApiObject,
  old: ApiObject,
): void {
  const { resourceVersion: said = '' } = object.metadata ?? {}
  const resourceVersion = said === '0' ? '' : said
  const refuse = (error: FieldError) => {
    throw new StatusError(invalidStatus(served.kind.resource, name, [error]))
  }
  if (resourceVersion === '') {
    if (unconditional) return
    const error = invalid('metadata.resourceVersion', 0, 'must be specified for an update')
    // Kubernetes names the resource here, and not the kind.
    throw new StatusError(invalidStatus({ group: served.group, kind: served.plural }, name, [error]))
  }
  if (resourceVersion === old.metadata?.resourceVersion) return
  if (!/^\d+$/.test(resourceVersion))
    refuse(
      typeInvalid(
        'metadata.resourceVersion',
        resourceVersion,
        `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`,
      ),
    )
  throw new StatusError(conflict(served, name))
}

/** The names in a path are the object's. Throws StatusError. */
export function refuseMisplaced(
  { served, namespace, name }: Pick<Updating, 'served' | 'namespace' | 'name'>,
  object: ApiObject,
): void {
  const { name: said = '', namespace: where = '' } = object.metadata ?? {}
  if (said === '')
    throw new StatusError(
      badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`),
    )
  if (said !== name)
    throw new StatusError(badRequest(`the name of the object (${said}) does not match the name on the URL (${name})`))
  if (where !== '' && where !== (served.resource.namespaced ? namespace : ''))
    throw new StatusError(
      badRequest('the namespace of the provided object does not match the namespace sent on the request'),
    )
}

/** What the client wrote into what is there, with Kubernetes' defaults. */
function merged(kind: Kind, part: Part, sent: ApiObject, old: ApiObject, context: AdmitContext): ApiObject {
  const metadata = metadataOnUpdate(sent.metadata ?? {}, old.metadata ?? {})
  const object: ApiObject = {
    ...sent,
    metadata: context.namespace === '' ? metadata : { namespace: context.namespace, ...metadata },
  }
  return kind.default?.(object) ?? object
}

type WithStatus = ApiObject & { readonly status?: unknown }

function prepared(kind: Kind, part: Part, object: ApiObject, old: ApiObject, context: AdmitContext): ApiObject {
  if (part === 'any') return object
  if (part === 'status') {
    const next: WithStatus = { ...old, metadata: statusMetadata(object, old) }
    const status = (object as WithStatus).status
    const whole: WithStatus = status === undefined ? withoutStatus(next) : { ...next, status }
    return (kind.status === true ? undefined : kind.status?.prepare?.(whole, old, context)) ?? whole
  }
  const kept = kind.status === undefined ? object : withStatusOf(object, old)
  return kind.prepareUpdate?.(kept, old, context) ?? kept
}

/** A status update may write labels, annotations, finalizers and owners too, as upstream's strategies allow. */
const statusMetadata = (object: ApiObject, old: ApiObject): NonNullable<ApiObject['metadata']> => ({
  ...object.metadata,
  ...(old.metadata?.deletionTimestamp === undefined ? {} : { deletionTimestamp: old.metadata.deletionTimestamp }),
})

function withoutStatus({ status: _, ...rest }: WithStatus): ApiObject {
  return rest
}
function withStatusOf(object: ApiObject, old: WithStatus): ApiObject {
  const rest = withoutStatus(object)
  return old.status === undefined ? rest : ({ ...rest, status: old.status } as ApiObject)
}

function errorsOf({ served, part }: Updating, object: ApiObject, old: ApiObject): FieldError[] {
  const { kind } = served
  const errors = checkMetadataUpdate(object.metadata ?? {}, old.metadata ?? {})
  // What has a bad name since before today's rules is not refused for it now.
  const { namespaced } = served.resource
  const metadataErrors = checkMetadata(object.metadata ?? {}, namespaced, () => undefined, kind.anyFinalizer)
  if (part === 'any') return [...errors, ...metadataErrors]
  const own =
    part === 'status'
      ? kind.status === true
        ? []
        : (kind.status?.validate?.(object, old) ?? [])
      : (kind.validate?.(object, old) ?? [])
  return [...errors, ...metadataErrors, ...own]
}

async function write(
  engine: Engine,
  updating: Updating,
  key: string,
  entry: Entry,
  object: ApiObject,
): Promise<Outcome | undefined> {
  const { served, dryRun } = updating
  const { metadata } = object
  const isDone =
    metadata?.deletionTimestamp !== undefined &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    !metadata.finalizers?.length &&
    !served.kind.isHeld?.(object)
  if (isDone) return removeNow(engine, updating, key, entry, object)
  if (dryRun) return { object }
  if (isSame(object, entry.object)) return { object: entry.object, entry }
  const { ttlSeconds } = served.kind
  const options = ttlSeconds === undefined ? {} : { ttlSeconds }
  const written = await served.store.update(served.prefix + key, valueOf(object), entry.revision, options)
  if (!written.done) return undefined
  const made = entryAtRevision(served, key, written.revision)
  return { object: made?.object ?? withRevision(object, written.revision), entry: made }
}

/** Nothing is written where nothing changed but the times at which managers wrote. */
function isSame(object: ApiObject, old: ApiObject): boolean {
  const plain = ({ metadata, ...rest }: ApiObject) => ({ ...rest, metadata: { ...metadata, resourceVersion: '' } })
  return equalJson(plain(withoutTimeChanges(object, old)), plain(old))
}

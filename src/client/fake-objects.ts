// The objects of a fake API server: what a real one does with metadata, versions, finalizers and graceful deletion.
// It validates and defaults nothing.

import type { Pod } from '#api/core.ts'
import type { ApiObject, ObjectMeta, Status } from '#api/meta.ts'
import { keyOf } from '#api/object-key.ts'
import { type Resource, apiVersionOf } from '#api/resource.ts'
import { alreadyExists, conflict, expired, forbidden, notFound } from '#api/status.ts'
import { formatTime } from '#api/time.ts'
import { equalJson } from '#lib/equal.ts'

export type FakeEvent = {
  readonly version: number
  readonly resource: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: ApiObject
  /** the state before, for selectors that it matched */
  readonly before?: ApiObject
}

/** A refusal; the fake client makes an ApiError of it. */
export class Refusal extends Error {
  readonly code = 'Refusal'
  readonly status: Status
  constructor(status: Status) {
    super(status.message ?? 'refused')
    this.name = 'Refusal'
    this.status = status
  }
}

export type Deletion = {
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
}

type Loose = ApiObject & { readonly spec?: unknown; readonly status?: unknown }

export const nameOf = ({ plural, group }: Resource): string => `${plural}.${group}`

export class FakeObjects {
  readonly #kinds = new Map<string, Map<string, Loose>>()
  readonly #now: () => number
  #events: FakeEvent[] = []
  #version = 0
  #compacted = 0
  #names = 0
  onEvent: (event: FakeEvent) => void = () => {}

  constructor(now: () => number) {
    this.#now = now
  }

  get version(): number {
    return this.#version
  }

  all(resource: Resource): readonly ApiObject[] {
    return [...(this.#kinds.get(nameOf(resource))?.values() ?? [])]
  }

  get(resource: Resource, key: string): Loose {
    const object = this.#kinds.get(nameOf(resource))?.get(key)
    if (object === undefined) throw new Refusal(notFound(resource, key.split('/').at(-1)!))
    return object
  }

  /** Events after `version`; refused where they are no longer kept. */
  since(version: number): readonly FakeEvent[] {
    if (version < this.#compacted) throw new Refusal(expired('The resourceVersion for the provided watch is too old.'))
    return this.#events.filter((event) => event.version > version)
  }

  /** Forgets all events so far. */
  compact(): void {
    this.#compacted = this.#version
    this.#events = []
  }

  create(resource: Resource, object: ApiObject): ApiObject {
    const { metadata = {} } = object
    this.#refuseInGoingNamespace(resource, metadata)
    const suffix = (++this.#names).toString(36).padStart(5, '0')
    const name = metadata.name || `${metadata.generateName ?? ''}${suffix}`
    const key = keyOf({ metadata: { ...metadata, name } })
    if (this.#kinds.get(nameOf(resource))?.has(key)) throw new Refusal(alreadyExists(resource, name))
    const { status: _, ...rest } = object as Loose
    return this.#put(resource, key, undefined, {
      ...rest,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        ...metadata,
        name,
        uid: `uid-${this.#version + 1}`,
        creationTimestamp: formatTime(this.#now()),
        ...('spec' in rest ? { generation: 1 } : {}),
      },
      ...initial(resource, rest),
    })
  }

  /** Puts an object as it is, status and all. For the state that a test begins with. */
  seed(resource: Resource, object: ApiObject): ApiObject {
    const key = keyOf(object)
    const before = this.#kinds.get(nameOf(resource))?.get(key)
    const defaults = { uid: `uid-${key}`, creationTimestamp: formatTime(this.#now()), generation: 1 }
    return this.#put(resource, key, before, {
      ...object,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { ...defaults, ...object.metadata },
    })
  }

  /** `change` makes the new state of the old one; the rules say what of it counts. */
  update(resource: Resource, key: string, subresource: string | undefined, change: (old: Loose) => Loose): ApiObject {
    const old = this.get(resource, key)
    const wanted = change(old)
    const { name = '', resourceVersion, uid } = wanted.metadata ?? {}
    const isStale = resourceVersion !== undefined && resourceVersion !== old.metadata?.resourceVersion
    if (isStale || (uid !== undefined && uid !== old.metadata?.uid)) throw new Refusal(conflict(resource, name))
    const settle = (next: Loose) =>
      isFinished(next) ? this.#remove(resource, key, next) : this.#put(resource, key, old, next)
    const kept: ObjectMeta = {
      ...wanted.metadata,
      ...pick(old.metadata, ['name', 'namespace', 'uid', 'creationTimestamp', 'generation', 'deletionTimestamp']),
    }
    // By way of the status metadata can be written too, and no specification.
    if (subresource === 'status') return settle({ ...old, metadata: kept, status: wanted.status })
    const generation = (old.metadata?.generation ?? 0) + (equalJson(old.spec, wanted.spec) ? 0 : 1)
    const metadata = 'spec' in old ? { ...kept, generation } : kept
    const { status: _, ...rest } = wanted
    const next = { ...rest, metadata, ...('status' in old ? { status: old.status } : {}) }
    return settle(next)
  }

  delete(resource: Resource, key: string, options: Deletion): void {
    const old = this.get(resource, key)
    const { uid, resourceVersion } = options
    const name = old.metadata?.name ?? ''
    if (uid !== undefined && uid !== old.metadata?.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata?.uid}`
      throw new Refusal(conflict(resource, name, why))
    }
    if (resourceVersion !== undefined && resourceVersion !== old.metadata?.resourceVersion)
      throw new Refusal(conflict(resource, name))
    const grace = graceOf(resource, old, options)
    const going = {
      ...old,
      metadata: {
        ...old.metadata,
        deletionTimestamp: old.metadata?.deletionTimestamp ?? formatTime(this.#now() + grace * 1000),
        deletionGracePeriodSeconds: grace,
        finalizers: finalizersFor(old, options.propagationPolicy),
      },
      ...(resource.plural === 'namespaces' ? { status: { ...(old.status as object), phase: 'Terminating' } } : {}),
    }
    if (grace === 0 && isFinished(going)) this.#remove(resource, key, old)
    else this.#put(resource, key, old, going)
  }

  #refuseInGoingNamespace(resource: Resource, { namespace, name = '' }: ObjectMeta): void {
    const of = this.#kinds.get('namespaces.')?.get(namespace ?? '')
    if (!resource.namespaced || of?.metadata?.deletionTimestamp === undefined) return
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`
    const status = forbidden(resource, name, why)
    const causes = [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ]
    throw new Refusal({ ...status, details: { ...status.details, causes } })
  }

  #put(resource: Resource, key: string, before: Loose | undefined, object: Loose): ApiObject {
    if (before !== undefined && equalJson(before, object)) return before
    const version = ++this.#version
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
    const kind = nameOf(resource)
    if (!this.#kinds.has(kind)) this.#kinds.set(kind, new Map())
    this.#kinds.get(kind)!.set(key, next)
    this.#tell({
      version,
      resource: kind,
      type: before ? 'MODIFIED' : 'ADDED',
      object: next,
      ...(before && { before }),
    })
    return next
  }

  #remove(resource: Resource, key: string, last: Loose): ApiObject {
    const version = ++this.#version
    const before = this.get(resource, key)
    this.#kinds.get(nameOf(resource))!.delete(key)
    const object = { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } }
    this.#tell({ version, resource: nameOf(resource), type: 'DELETED', object, before })
    return object
  }

  #tell(event: FakeEvent): void {
    this.#events.push(event)
    this.onEvent(event)
  }
}

function pick(meta: ObjectMeta | undefined, keys: readonly (keyof ObjectMeta)[]): ObjectMeta {
  return Object.fromEntries(keys.filter((key) => meta?.[key] !== undefined).map((key) => [key, meta![key]]))
}

function initial(resource: Resource, object: Loose): object {
  if (resource.plural === 'pods') return { status: { phase: 'Pending' } }
  if (resource.plural !== 'namespaces') return {}
  return { spec: { finalizers: ['kubernetes'], ...(object.spec as object) }, status: { phase: 'Active' } }
}

/** On its way out with nothing that holds it. */
function isFinished({ metadata, spec }: Loose): boolean {
  const { finalizers = [] } = (spec ?? {}) as { readonly finalizers?: readonly string[] }
  const held = (metadata?.finalizers?.length ?? 0) > 0 || finalizers.length > 0
  return metadata?.deletionTimestamp !== undefined && !held && !metadata.deletionGracePeriodSeconds
}

/** Pods that run somewhere get time to end; what never ran goes at once. */
function graceOf(resource: Resource, object: Loose, { gracePeriodSeconds }: Deletion): number {
  if (resource.plural !== 'pods') return 0
  const { spec, status } = object as Pod
  if (!spec?.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
  return gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30
}

function finalizersFor({ metadata }: Loose, propagation: Deletion['propagationPolicy']): readonly string[] {
  const others = (metadata?.finalizers ?? []).filter((one) => one !== 'foregroundDeletion' && one !== 'orphan')
  if (propagation === 'Foreground') return [...others, 'foregroundDeletion']
  if (propagation === 'Orphan') return [...others, 'orphan']
  return propagation === 'Background' ? others : (metadata?.finalizers ?? [])
}

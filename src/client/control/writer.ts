// effect: requests to the API server
// Does what plans ask for, and lets the caches know at once.

import { type Binding, type Pod, pods } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject } from '#api/patch/patched.ts'
import { keyOf } from '#api/object-key.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { ApiError, type Client, isNotFound } from '#client/client.ts'
import { type Recorder, referenceTo } from '#client/events.ts'
import type { Act, Target } from '#client/control/act.ts'
import type { Caches } from '#client/control/caches.ts'
import type { Clock } from '#daemon/clock.ts'

export interface Writer {
  /** Does them in order. Ends with the first that fails; what is gone already counts as deleted. */
  perform(acts: readonly Act[], signal?: AbortSignal): Promise<void>
  /** Creates an object and answers what the server made of it. */
  create<T extends ApiObject>(resource: Resource<T>, object: T, signal?: AbortSignal): Promise<T>
  /** Binds a pod to a node. The caches are not told: what the server answers is no pod. */
  bind(pod: Stored<Pod>, nodeName: string, signal?: AbortSignal): Promise<void>
}

export function createWriter(options: {
  readonly client: Client
  readonly caches: Caches
  readonly recorder: Recorder
  readonly clock: Clock
  /** whether what the cache keeps of an object is all that a client may write of it */
  isWhole(resource: Resource, object: ApiObject): boolean
}): Writer {
  const { client, caches, recorder, clock, isWhole } = options
  const note = <T extends ApiObject>(resource: Resource, answer: T): T => {
    caches.known(resource)?.wrote(answer, clock.now())
    return answer
  }
  const noteDeletion = (resource: Resource, target: Target) => {
    const store = caches.known(resource)
    const known = store?.get(keyOf({ metadata: target }))
    if (known === undefined || known.metadata.uid !== target.uid || known.metadata.deletionTimestamp !== undefined)
      return
    const deletionTimestamp = formatTime(clock.now())
    store?.assume({ ...known, metadata: { ...known.metadata, deletionTimestamp } }, clock.now())
  }

  /** The object as the patch makes it, where all of it is known here. */
  const patchedWhole = (resource: Resource, target: Target, patch: object): ApiObject | undefined => {
    const known = caches.known(resource)?.get(keyOf({ metadata: target }))
    if (known === undefined || known.metadata.uid !== target.uid || !isWhole(resource, known)) return undefined
    const result = applyMergePatch(known as JsonObject, patch)
    return result.kind === 'status' ? undefined : (result.value as ApiObject)
  }

  const perform = async (act: Act, versions: Map<string, string>, signal: AbortSignal | undefined) => {
    switch (act.kind) {
      case 'event':
        return recorder.event(referenceTo(act.resource, act.about), act.type, act.reason, act.message)
      case 'create':
        return void note(act.resource, await client.create(act.resource as Resource<ApiObject>, act.object, { signal }))
      case 'update': {
        const { resource, object, subresource } = act
        const answer = await client.update(resource as Resource<ApiObject>, withVersion(object, versions), {
          signal,
          ...(subresource !== undefined && { subresource }),
        })
        return remember(note(resource, answer), versions)
      }
      case 'patch': {
        const { resource, target, subresource } = act
        const how = { signal, ...(subresource !== undefined && { subresource }) }
        const patch = guarded(act.patch, target, versions)
        // The roles of most controllers allow updates of their objects, and no patches.
        const whole = patchedWhole(resource, target, patch)
        const answer =
          whole === undefined
            ? await client.patch(resource as Resource<ApiObject>, target.name, patch, {
                ...how,
                type: 'merge',
                namespace: target.namespace,
              })
            : await client.update(resource as Resource<ApiObject>, whole, how)
        return remember(note(resource, answer), versions)
      }
      case 'delete': {
        const { resource, target, gracePeriodSeconds, propagation } = act
        try {
          await client.delete(resource, target.name, {
            namespace: target.namespace,
            uid: target.uid,
            resourceVersion: target.resourceVersion,
            signal,
            ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
            ...(propagation !== undefined && { propagationPolicy: propagation }),
          })
        } catch (error) {
          if (!isNotFound(error)) throw error
        }
        return noteDeletion(resource, target)
      }
    }
  }

  return {
    async perform(acts, signal) {
      // Later writes to an object that this plan has written already count from its new version.
      const versions = new Map<string, string>()
      for (const act of acts) await perform(act, versions, signal)
    },
    create: async (resource, object, signal) => note(resource, await client.create(resource, object, { signal })),
    async bind({ metadata: { name, namespace, uid } }, nodeName, signal) {
      const binding: Binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      }
      await client.create(pods, binding as Pod, { subresource: 'binding', name, namespace, signal })
    },
  }
}

function remember({ metadata }: ApiObject, versions: Map<string, string>): void {
  if (metadata?.uid !== undefined && metadata.resourceVersion !== undefined)
    versions.set(metadata.uid, metadata.resourceVersion)
}

function withVersion(object: ApiObject, versions: ReadonlyMap<string, string>): ApiObject {
  const resourceVersion = versions.get(object.metadata?.uid ?? '')
  return resourceVersion === undefined ? object : { ...object, metadata: { ...object.metadata, resourceVersion } }
}

/** A patch that fails with a conflict when the object is no longer what the plan saw. */
function guarded(patch: object, target: Target, versions: ReadonlyMap<string, string>): object {
  const resourceVersion = versions.get(target.uid) ?? target.resourceVersion
  if (resourceVersion === undefined) return patch
  return { ...patch, metadata: { ...('metadata' in patch ? (patch.metadata as object) : {}), resourceVersion } }
}

/** Creating anything in a namespace on its way out is refused, and there is no use in trying again. */
export function isNamespaceGoing(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  )
}

// Other objects, as kinds, bootstrapping and the authorizer see them: the verbs of the API without HTTP.

import type { ApiObject, DeleteOptions } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import { StatusError } from '#api/status.ts'
import { createObject } from '#apiserver/engine/create.ts'
import { deleteObject } from '#apiserver/engine/delete.ts'
import { serverUser, type Engine } from '#apiserver/engine/engine.ts'
import { keyIn } from '#apiserver/engine/served.ts'
import { updateObject } from '#apiserver/engine/update.ts'
import type { Writing } from '#apiserver/engine/write.ts'
import type { Objects } from '#apiserver/kind.ts'

export function objectsOf(engine: Engine): Objects {
  const writing = (resource: Resource, namespace: string, name: string): Writing => ({
    served: engine.served.of(resource),
    namespace,
    name,
    user: serverUser,
    dryRun: false,
    manage: (object) => object,
    warn: () => {},
  })
  return {
    async get<T extends ApiObject>(resource: Resource<T>, namespace: string, name: string) {
      const served = engine.served.find(resource.group, resource.version, resource.plural)
      if (served === undefined) return undefined
      await served.cache.fresh()
      return served.cache.get(keyIn(served, namespace, name))?.object as T | undefined
    },
    async find<T extends ApiObject>(resource: Resource<T>, namespace: string, name: string) {
      const served = engine.served.find(resource.group, resource.version, resource.plural)
      const entry = await served?.cache.find(keyIn(served, namespace, name))
      return entry?.object as T | undefined
    },
    async list<T extends ApiObject>(resource: Resource<T>, namespace = '') {
      const cache = engine.served.find(resource.group, resource.version, resource.plural)?.cache
      if (cache === undefined) return []
      await cache.fresh()
      return [...cache.range(namespace === '' ? '' : `${namespace}/`)].map((entry) => entry.object as T)
    },
    async create<T extends ApiObject>(resource: Resource<T>, object: T) {
      const how = writing(resource, object.metadata?.namespace ?? '', '')
      const typed = { ...object, apiVersion: how.served.apiVersion, kind: resource.kind }
      return (await createObject(engine, how, typed)).object as T
    },
    async change<T extends ApiObject>(
      resource: Resource<T>,
      namespace: string,
      name: string,
      change: (object: T) => T,
      { subresource }: { readonly subresource?: 'status' | 'any' } = {},
    ) {
      const updating = {
        ...writing(resource, namespace, name),
        part: subresource ?? ('main' as const),
        unconditional: true,
        produce: (old: ApiObject) => change(old as T),
      }
      return orUndefined(async () => (await updateObject(engine, updating)).object as T)
    },
    async delete(resource: Resource, namespace: string, name: string, options: DeleteOptions = {}) {
      const deleted = await orUndefined(() => deleteObject(engine, writing(resource, namespace, name), options))
      return deleted !== undefined
    },
  }
}

/** Undefined where the object is not there. */
async function orUndefined<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof StatusError && error.status.reason === 'NotFound') return undefined
    throw error
  }
}

// effect: none beyond this process: it stands in for an API server in tests
// A Client without a server: lists, watches with versions, conflicts, subresources, finalizers and graceful deletion as
// a real server has them, in memory and without a wait. It validates and defaults nothing. A strategic merge patch is
// taken as a plain merge patch, which is right where no list is merged.

import { Readable } from 'node:stream'
import type { Binding, Pod } from '#api/core.ts'
import { type Discovered, apiGroupList, apiResourceList, apiVersions } from '#api/discovery-document.ts'
import { matchFields, parseFieldSelector } from '#api/field-selector.ts'
import type { ApiObject, List } from '#api/meta.ts'
import { keyOf } from '#api/object-key.ts'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import type { JsonObject } from '#api/patch/patched.ts'
import type { Resource } from '#api/resource.ts'
import { matchLabels, parseLabelSelector } from '#api/selector.ts'
import { noSuchResource } from '#api/status.ts'
import { ApiError, type Client, type Selected, type WatchEvent, type WatchOptions } from '#client/client.ts'
import { FakeObjects, Refusal, nameOf } from '#client/fake-objects.ts'
import { type Clock, systemClock } from '#daemon/clock.ts'

export interface FakeClient extends Client {
  /** `VERB RESOURCE[/SUBRESOURCE] KEY` of each write so far */
  readonly writes: string[]
  /** Throws to make a request fail; `request` has the form of `writes`, with the verbs get, list and watch besides. */
  intercept: (request: string, object?: ApiObject) => void
  /** Puts an object as it is, status included, as if another client had. Throws nothing. */
  seed<T extends ApiObject>(resource: Resource<T>, object: T): T
  all<T>(resource: Resource<T>): readonly T[]
  /** Ends all watches. */
  cut(): void
  /** Forgets old events: a watch from before gets 410. */
  compact(): void
}

/** `resources` are what discovery tells; every other resource works as well. */
export function fakeClient(
  options: { readonly clock?: Clock; readonly resources?: readonly Resource[] } = {},
): FakeClient {
  const { clock = systemClock, resources = [] } = options
  const objects = new FakeObjects(() => clock.now())
  const watchers = new Set<() => void>()
  let watchesEnd = new AbortController()
  objects.onEvent = () => {
    for (const wake of watchers) wake()
  }

  /** Every request takes a turn of the event loop's queue, as one over the network would take longer. */
  const request: Ask = async (words, object, act) => {
    await Promise.resolve()
    try {
      fake.intercept(words, object)
      if (!/^(get|list|watch) /.test(words)) fake.writes.push(words)
      return structuredClone(act())
    } catch (error) {
      throw error instanceof Refusal ? new ApiError(error.status.code ?? 500, error.status) : error
    }
  }
  const fake: FakeClient = {
    server: 'fake:',
    writes: [],
    intercept: () => {},
    seed: (resource, object) => objects.seed(resource, structuredClone(object)) as typeof object,
    all: <T>(resource: Resource<T>) => objects.all(resource) as T[],
    compact: () => objects.compact(),
    cut() {
      watchesEnd.abort()
      watchesEnd = new AbortController()
    },
    ...requestsTo(objects, request),
    watch: <T>(resource: Resource<T>, selected: WatchOptions) =>
      follow<T>(objects, watchers, resource, selected, watchesEnd.signal, () =>
        request(wordsOf('watch', resource, selected.namespace ?? ''), undefined, () =>
          objects.since(Number(selected.resourceVersion ?? 0)),
        ),
      ),
    raw: async (method, path) => {
      const [status, body] = answerRaw(method, path, resources, objects)
      return { status, headers: {}, body: Readable.from([Buffer.from(JSON.stringify(body))]) }
    },
    close() {},
  }
  return fake
}

/** Makes a request of the words that say what it is, the object that it carries and what it does. */
type Ask = <R>(words: string, object: ApiObject | undefined, act: () => R) => Promise<R>

const wordsOf = (verb: string, resource: Resource, key: string, subresource?: string) =>
  `${verb} ${resource.plural}${subresource === undefined ? '' : `/${subresource}`} ${key}`
const keyIn = (resource: Resource, name: string, namespace: string | undefined) =>
  resource.namespaced && namespace ? `${namespace}/${name}` : name

function requestsTo(
  objects: FakeObjects,
  request: Ask,
): Pick<Client, 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete'> {
  return {
    get: <T>(resource: Resource<T>, name: string, { namespace }: { readonly namespace?: string | undefined } = {}) => {
      const key = keyIn(resource, name, namespace)
      return request(wordsOf('get', resource, key), undefined, () => objects.get(resource, key) as T)
    },
    list: <T>(resource: Resource<T>, selected: Selected = {}) =>
      request(wordsOf('list', resource, selected.namespace ?? ''), undefined, (): List<T> => {
        const matches = matcher(selected)
        const metadata = { resourceVersion: String(objects.version) }
        return { metadata, items: objects.all(resource).filter(matches) as T[] }
      }),
    create: <T>(
      resource: Resource<T>,
      object: T,
      more: { readonly subresource?: string; readonly namespace?: string | undefined; readonly name?: string } = {},
    ) => {
      const { metadata = {} } = object as ApiObject
      const namespace = metadata.namespace ?? more.namespace
      const wanted = { ...(object as ApiObject), metadata: { ...metadata, ...(namespace && { namespace }) } }
      const key = more.name === undefined ? keyOf(wanted) : keyIn(resource, more.name, namespace)
      return request(wordsOf('create', resource, key, more.subresource), wanted, () =>
        more.subresource === 'binding'
          ? bind(objects, resource, key, object as Binding)
          : objects.create(resource, structuredClone(wanted)),
      ) as Promise<T>
    },
    update: <T>(resource: Resource<T>, object: T, { subresource }: { readonly subresource?: string } = {}) => {
      const key = keyOf(object as ApiObject)
      return request(wordsOf('update', resource, key, subresource), object as ApiObject, () =>
        objects.update(resource, key, subresource, () => structuredClone(object as ApiObject)),
      ) as Promise<T>
    },
    patch: <T>(
      resource: Resource<T>,
      name: string,
      patch: unknown,
      more: { readonly type: string; readonly subresource?: string; readonly namespace?: string | undefined },
    ) => {
      const key = keyIn(resource, name, more.namespace)
      if (more.type !== 'merge' && more.type !== 'strategic')
        throw new Error(`the fake client knows no ${more.type} patch`)
      return request(wordsOf('patch', resource, key, more.subresource), patch as ApiObject, () =>
        objects.update(resource, key, more.subresource, (old) => {
          const bare = { ...old, metadata: { ...old.metadata } }
          delete (bare.metadata as { resourceVersion?: string }).resourceVersion
          return merged(bare, structuredClone(patch))
        }),
      ) as Promise<T>
    },
    delete: (resource, name, more = {}) => {
      const key = keyIn(resource, name, more.namespace)
      return request(wordsOf('delete', resource, key), undefined, () => objects.delete(resource, key, more))
    },
  }
}

type Matches = (object: ApiObject) => boolean

function matcher({ namespace, labelSelector, fieldSelector }: Selected): Matches {
  const labels = parseLabelSelector(labelSelector ?? '')
  const fields = parseFieldSelector(fieldSelector ?? '')
  if (labels.kind === 'error' || fields.kind === 'error')
    throw new Error(`bad selector: ${labelSelector} ${fieldSelector}`)
  const names = fields.value.map(({ field }) => field)
  return (object) => {
    const values = Object.fromEntries(names.map((name) => [name, String(at(object, name.split('.')) ?? '')]))
    const isIn = !namespace || object.metadata?.namespace === namespace
    return (
      isIn && matchLabels(labels.value, object.metadata?.labels) && matchFields(fields.value, (field) => values[field])
    )
  }
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value)
}

async function* follow<T>(
  objects: FakeObjects,
  watchers: Set<() => void>,
  resource: Resource<T>,
  selected: WatchOptions,
  end: AbortSignal,
  begin: () => Promise<unknown>,
): AsyncIterable<WatchEvent<T>> {
  const matches = matcher(selected)
  let version = Number(selected.resourceVersion ?? 0)
  let wake = () => {}
  const awake = () => wake()
  const isOver = () => end.aborted || selected.signal.aborted
  await begin()
  watchers.add(awake)
  for (const signal of [end, selected.signal]) signal.addEventListener('abort', awake)
  try {
    while (!isOver()) {
      const news = objects.since(version).filter((event) => event.resource === nameOf(resource))
      version = objects.version
      for (const { type, object, before } of news) {
        const had = before !== undefined && matches(before)
        const has = type !== 'DELETED' && matches(object)
        if (!had && !has) continue
        const shown = has ? (had ? 'MODIFIED' : 'ADDED') : 'DELETED'
        yield { type: shown, object: structuredClone(object) as T }
        if (isOver()) return
      }
      if (version === objects.version && !isOver())
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    watchers.delete(awake)
    for (const signal of [end, selected.signal]) signal.removeEventListener('abort', awake)
  }
}

function merged(object: ApiObject, patch: unknown): ApiObject {
  const result = applyMergePatch(object as JsonObject, patch)
  if (result.kind === 'status') throw new Refusal(result.status)
  return result.value as ApiObject
}

function bind(objects: FakeObjects, resource: Resource, key: string, { target }: Binding): ApiObject {
  const name = target?.name ?? ''
  objects.update(resource, key, undefined, (pod) => ({ ...pod, spec: { ...(pod as Pod).spec, nodeName: name } }))
  return objects.update(resource, key, 'status', (pod) => {
    const { conditions = [], ...status } = (pod as Pod).status ?? {}
    const others = conditions.filter(({ type }) => type !== 'PodScheduled')
    return { ...pod, status: { ...status, conditions: [...others, { type: 'PodScheduled', status: 'True' }] } }
  })
}

function answerRaw(
  method: string,
  path: string,
  resources: readonly Resource[],
  objects: FakeObjects,
): readonly [number, object] {
  const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
  const found = resources.map((resource): Discovered => {
    const singular = resource.kind.toLowerCase()
    return { ...resource, singular, shortNames: [], categories: [], verbs, subresources: [] }
  })
  const [, root = '', first = '', second = '', ...rest] = path.split('?')[0]!.split('/')
  const group = root === 'apis' ? first : ''
  const version = root === 'apis' ? second : first
  if (method === 'GET' && path === '/api') return [200, apiVersions(found, '')]
  if (method === 'GET' && path === '/apis') return [200, apiGroupList(found)]
  const words = root === 'apis' ? rest : [second, ...rest].filter((word) => word !== '')
  if (method === 'GET' && words.length === 0) {
    const document = apiResourceList(found, group, version)
    if (document !== undefined) return [200, document]
  }
  const [, namespace, plural] = words
  const resource = resources.find((one) => one.group === group && one.plural === plural)
  if (method !== 'DELETE' || words[0] !== 'namespaces' || words.length !== 3 || resource === undefined)
    return [404, noSuchResource()]
  for (const object of objects.all(resource))
    if (object.metadata?.namespace === namespace) objects.delete(resource, keyOf(object), {})
  return [200, {}]
}

// effect: HTTP requests to a Kubernetes API server
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { ApiObject, List, Status } from '#api/meta.ts'
import { apiVersionOf, pathOf, type Resource } from '#api/resource.ts'
import type { ClientConfig } from '#client/kubeconfig.ts'
import { lines } from '#client/lines.ts'
import { ConnectionError, createTransport, type Request, type Send } from '#client/transport.ts'
import { systemClock } from '#daemon/clock.ts'

export type RequestOptions = { readonly signal?: AbortSignal | undefined }
export type InNamespace = RequestOptions & {
  /** default: that of the object, where there is one */
  readonly namespace?: string | undefined
}
export type WriteOptions = InNamespace & {
  readonly subresource?: string
  readonly dryRun?: boolean
  readonly fieldManager?: string
}
export type Selected = InNamespace & {
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly resourceVersion?: string | undefined
}
export type ListOptions = Selected & { readonly limit?: number; readonly continue?: string }
export type WatchOptions = Selected & {
  readonly signal: AbortSignal
  readonly allowWatchBookmarks?: boolean
  readonly timeoutSeconds?: number
}
export type PatchOptions = WriteOptions & {
  readonly type: 'json' | 'merge' | 'strategic' | 'apply'
  /** with 'apply': take fields over from other managers */
  readonly force?: boolean
}
export type RemoveOptions = InNamespace & {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  /** delete only this very object */
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly dryRun?: boolean
}
export type RawOptions = RequestOptions & {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}
export type WatchEvent<T> = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: T
}

/** A Kubernetes API server. Every call throws ApiError on an answer that is not 2xx, and ConnectionError without one. */
export interface Client {
  /** what went into it: `https://10.168.0.250:6443` */
  readonly server: string
  get<T>(resource: Resource<T>, name: string, options?: InNamespace & { readonly subresource?: string }): Promise<T>
  list<T>(resource: Resource<T>, options?: ListOptions): Promise<List<T>>
  create<T>(resource: Resource<T>, object: T, options?: WriteOptions & { readonly name?: string }): Promise<T>
  update<T>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>
  patch<T>(resource: Resource<T>, name: string, patch: unknown, options: PatchOptions): Promise<T>
  delete(resource: Resource, name: string, options?: RemoveOptions): Promise<void>
  /** Ends when the server ends the watch or the signal is aborted; an ERROR event throws ApiError. */
  watch<T>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** Any path. Throws only without an answer; the caller reads or destroys the body. */
  raw(
    method: string,
    path: string,
    options?: RawOptions,
  ): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Readable }>
  /** Closes idle connections. */
  close(): void
}

/** The server said no. */
export class ApiError extends Error {
  readonly code = 'ApiError'
  readonly status: Status
  readonly httpStatus: number

  constructor(httpStatus: number, status: Status) {
    super(status.message ?? status.reason ?? `the server answered ${httpStatus}`)
    this.name = 'ApiError'
    this.status = status
    this.httpStatus = httpStatus
  }
}

const hasReason = (error: unknown, reason: string) => error instanceof ApiError && error.status.reason === reason
export const isNotFound = (error: unknown): boolean => hasReason(error, 'NotFound')
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict')
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists')
/** The resource version or the continue token is too old: list again. */
export const isExpired = (error: unknown): boolean =>
  error instanceof ApiError && (error.httpStatus === 410 || ['Expired', 'Gone'].includes(error.status.reason ?? ''))

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const
const answerIdleMs = 60_000
/** How often a request is repeated that the server answers with "later", and the longest pause that it may ask for. */
const mostRetries = 5
const longestRetryMs = 10_000

/** `idleConnections` is for those who send many requests at once; each costs some memory on both sides. */
export function connect(config: ClientConfig, options: { readonly idleConnections?: number } = {}): Client {
  return clientOf(config.server, createTransport(config, options.idleConnections))
}

/** Clients that share their connections and differ in the token that each shows. */
export function connectMany(config: ClientConfig): (token: () => Promise<string>) => Client {
  const { send, close } = createTransport({ ...config, cert: undefined, key: undefined, renew: undefined }, 16)
  return (token) => {
    const showing: Send = async (request) =>
      send({ ...request, headers: { ...request.headers, authorization: `Bearer ${await token()}` } })
    return clientOf(config.server, { send: showing, close })
  }
}

function clientOf(server: string, { send, close }: { readonly send: Send; close(): void }): Client {
  const call = async (request: Request): Promise<unknown> => {
    const { status, text } = await sendPatiently(send, request)
    if (status < 300) return parseJson(text, request)
    throw new ApiError(status, statusOf(status, text))
  }
  const write = (method: string, path: string, query: Query, body: unknown, options: WriteOptions, type = json) =>
    call({
      method,
      path: withQuery(path, {
        ...query,
        dryRun: options.dryRun ? 'All' : undefined,
        fieldManager: options.fieldManager,
      }),
      headers: { accept: json, 'content-type': type },
      body: JSON.stringify(body),
      signal: options.signal,
      idleMs: answerIdleMs,
    })
  const read = (path: string, query: Query, signal: AbortSignal | undefined) =>
    call({ method: 'GET', path: withQuery(path, query), headers: { accept: json }, signal, idleMs: answerIdleMs })

  return {
    server,
    close,
    get: async <T>(
      resource: Resource<T>,
      name: string,
      options: InNamespace & { readonly subresource?: string } = {},
    ) =>
      withoutNulls(
        (await read(pathOf(resource, options.namespace, name, options.subresource), {}, options.signal)) as T,
      ),
    list: async <T>(resource: Resource<T>, options: ListOptions = {}) => {
      const { limit, continue: token } = options
      const query = { ...selection(options), limit, continue: token }
      const list = (await read(pathOf(resource, options.namespace), query, options.signal)) as List<T>
      const items: readonly T[] | null = list.items
      return { ...list, items: (items ?? []).map(withoutNulls) }
    },
    create: <T>(resource: Resource<T>, object: T, options: WriteOptions & { readonly name?: string } = {}) => {
      const { namespace, named } = identityOf(resource, object, options.namespace)
      const path = pathOf(resource, namespace, options.name, options.subresource)
      return write('POST', path, {}, options.subresource === undefined ? named : object, options) as Promise<T>
    },
    update: <T>(resource: Resource<T>, object: T, options: WriteOptions = {}) => {
      const { namespace, name, named } = identityOf(resource, object, options.namespace)
      const path = pathOf(resource, namespace, name, options.subresource)
      return write('PUT', path, {}, named, options) as Promise<T>
    },
    patch: <T>(resource: Resource<T>, name: string, patch: unknown, options: PatchOptions) => {
      const path = pathOf(resource, options.namespace, name, options.subresource)
      const query = { force: options.force ? 'true' : undefined }
      return write('PATCH', path, query, patch, options, patchTypes[options.type]) as Promise<T>
    },
    async delete(resource, name, options = {}) {
      const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options
      const preconditions = uid !== undefined || resourceVersion !== undefined ? { uid, resourceVersion } : undefined
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds, propagationPolicy, preconditions }
      await write('DELETE', pathOf(resource, options.namespace, name), {}, body, options)
    },
    watch: (resource, options) => watch(send, resource, options),
    async raw(method, path, options = {}) {
      const body = await send({ method, path, ...options })
      return { status: body.statusCode ?? 0, headers: body.headers, body }
    },
  }
}

const json = 'application/json'

async function* watch<T>(send: Send, resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
  const { signal, namespace, allowWatchBookmarks, timeoutSeconds } = options
  const query = { watch: 'true', ...selection(options), allowWatchBookmarks, timeoutSeconds }
  const request = {
    method: 'GET',
    path: withQuery(pathOf(resource, namespace), query),
    headers: { accept: json },
    signal,
  }
  const response = await send(request)
  const status = response.statusCode ?? 0
  try {
    if (status !== 200)
      throw new ApiError(status, statusOf(status, (await response.setEncoding('utf8').toArray()).join('')))
    for await (const line of lines(response)) {
      if (line === '') continue
      const event = parseJson(line, request) as WatchEvent<T> | { readonly type: 'ERROR'; readonly object: Status }
      if (event.type === 'ERROR') throw new ApiError(event.object.code ?? 500, event.object)
      withoutNulls(event.object)
      yield event
    }
  } catch (error) {
    if (signal.aborted) return
    if (error instanceof ApiError || error instanceof ConnectionError) throw error
    throw new ConnectionError(`watch ${resource.plural}`, error)
  } finally {
    response.destroy()
  }
}

/** Sends a request and reads its answer; repeats it where the server says "later" (429 or 5xx with Retry-After). */
async function sendPatiently(
  send: Send,
  request: Request,
): Promise<{ readonly status: number; readonly text: string }> {
  for (let retry = 0; ; retry++) {
    const response = await send(request)
    const status = response.statusCode ?? 0
    const text = await readText(response, request)
    const afterSeconds = Number(response.headers['retry-after'])
    const isLater = (status === 429 || status >= 500) && afterSeconds >= 0
    if (!isLater || retry === mostRetries) return { status, text }
    await systemClock.sleep(Math.min(afterSeconds * 1000, longestRetryMs), request.signal)
    request.signal?.throwIfAborted()
  }
}

async function readText(response: Readable, { method, path, signal }: Request): Promise<string> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
    return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8')
  } catch (error) {
    signal?.throwIfAborted()
    throw new ConnectionError(`${method} ${path}`, error)
  }
}

function parseJson(text: string, { method, path }: Request): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConnectionError(`${method} ${path}: the answer is not JSON`, error)
  }
}

/**
 * Kubernetes leaves out what has no value, but for some lists, which are null then: the endpoints of an EndpointSlice, the
 * rules of a ClusterRole. Here they are left out too. The object is fresh from JSON, and changed in place.
 */
function withoutNulls<T>(object: T): T {
  const fields = object as Record<string, unknown>
  for (const name in fields) if (fields[name] === null) delete fields[name]
  return object
}

/** The Status of an answer that is not 2xx; made up where something else than an API server answered. */
function statusOf(code: number, text: string): Status {
  try {
    const status = JSON.parse(text) as Status & ApiObject
    if (status.kind === 'Status') return status
  } catch {}
  const message = text.trim().slice(0, 200) || `the server answered ${code}`
  return { status: 'Failure', code, message, reason: code === 404 ? 'NotFound' : code === 410 ? 'Expired' : 'Unknown' }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

function selection({ labelSelector, fieldSelector, resourceVersion }: Selected): Query {
  return { labelSelector, fieldSelector, resourceVersion }
}

function withQuery(path: string, query: Query): string {
  const words = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== '') words.set(key, String(value))
  return words.size === 0 ? path : `${path}?${words}`
}

function identityOf(resource: Resource, object: unknown, namespace: string | undefined) {
  const given = object as ApiObject
  // Objects of a list have no type of their own.
  const named = given.kind === undefined ? { apiVersion: apiVersionOf(resource), kind: resource.kind, ...given } : given
  return { namespace: namespace ?? given.metadata?.namespace, name: given.metadata?.name ?? '', named }
}

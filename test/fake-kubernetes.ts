// A small Kubernetes API over HTTP for tests of clients: it keeps objects in memory, lists in pages, watches, and has
// the faults of a real one at the push of a button. It checks nothing; the real one is src/apiserver.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Metadata = { name: string; namespace?: string; uid?: string; resourceVersion?: string }
export type FakeObject = { metadata: Metadata; [field: string]: unknown }
type Change = {
  readonly type: string
  readonly revision: number
  readonly collection: string
  readonly object: FakeObject
}
type Watcher = {
  readonly collection: string
  readonly namespace: string | undefined
  readonly response: ServerResponse
}
type Target = { collection: string; namespace?: string; name?: string; subresource?: string }

export class FakeKubernetes implements AsyncDisposable {
  readonly #server: Server
  readonly #watchers = new Set<Watcher>()
  /** `COLLECTION/NAMESPACE/NAME` -> object */
  readonly #objects = new Map<string, FakeObject>()
  #changes: Change[] = []
  #revision = 1
  /** `METHOD URL` of each request so far */
  readonly requests: string[] = []
  /** Answers true where it has answered the request itself. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false
  url = ''

  private constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`)
      if (!this.intercept(request, response)) void this.#answer(request, response)
    })
  }

  static async start(): Promise<FakeKubernetes> {
    const fake = new FakeKubernetes()
    await fake.listen(0)
    return fake
  }
  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  get port(): number {
    return Number(new URL(this.url).port)
  }
  /** Drops every connection and listens no more; `listen(port)` brings it back with its objects. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Breaks all connections, watches in the middle of whatever they are sending. */
  cut(): void {
    this.#watchers.clear()
    this.#server.closeAllConnections()
  }
  /** Ends all watches as servers do now and then. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end()
    this.#watchers.clear()
  }
  /** Forgets all changes so far: a watch from before gets 410. */
  compact(): void {
    this.#changes = []
  }
  /** Writes bytes to all watches, whatever they mean. */
  send(text: string): void {
    for (const { response } of this.#watchers) response.write(text)
  }
  bookmark(): void {
    const object = { kind: 'Any', metadata: { name: '', resourceVersion: String(++this.#revision) } }
    this.send(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }
  get watches(): number {
    return this.#watchers.size
  }

  /** `collection` is the plural: put('services', { metadata: { name: 'a', namespace: 'b' } }). */
  put(collection: string, object: FakeObject, options: { readonly silently?: boolean } = {}): FakeObject {
    const key = keyOf(collection, object.metadata)
    const old = this.#objects.get(key)
    const revision = ++this.#revision
    const uid = old?.metadata.uid ?? object.metadata.uid ?? `uid-${revision}`
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(revision) } }
    this.#objects.set(key, stored)
    this.#publish({ type: old ? 'MODIFIED' : 'ADDED', revision, collection, object: stored }, options.silently)
    return stored
  }
  remove(collection: string, metadata: Metadata, options: { readonly silently?: boolean } = {}): void {
    const key = keyOf(collection, metadata)
    const object = this.#objects.get(key)!
    const revision = ++this.#revision
    this.#objects.delete(key)
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
    this.#publish({ type: 'DELETED', revision, collection, object: last }, options.silently)
  }
  get(collection: string, metadata: Metadata): FakeObject | undefined {
    return this.#objects.get(keyOf(collection, metadata))
  }
  list(collection: string): FakeObject[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${collection}/`)).map(([, object]) => object)
  }

  #publish(change: Change, silently = false): void {
    this.#changes.push(change)
    if (!silently)
      for (const watcher of this.#watchers) if (sees(watcher, change)) watcher.response.write(lineOf(change))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    const target = parsePath(url.pathname)
    const text = (await request.setEncoding('utf8').toArray()).join('')
    const body = text === '' ? undefined : (JSON.parse(text) as FakeObject)
    if (target === undefined) return fail(response, 404, 'NotFound', 'no such path')
    if (target.name === undefined && request.method === 'GET')
      return url.searchParams.has('watch') ? this.#watch(target, url, response) : this.#list(target, url, response)
    this.#object(request.method ?? '', target, body, response)
  }

  #object(method: string, target: Target, body: FakeObject | undefined, response: ServerResponse): void {
    const { collection, namespace, name = body?.metadata?.name ?? '' } = target
    const metadata = { ...body?.metadata, name, ...(namespace !== undefined && { namespace }) }
    const old = this.get(collection, metadata)
    if (method === 'POST') {
      if (old !== undefined && target.subresource === undefined)
        return fail(response, 409, 'AlreadyExists', `${collection} "${name}" already exists`)
      return reply(response, 201, this.put(collection, { ...body, metadata }))
    }
    if (old === undefined) return fail(response, 404, 'NotFound', `${collection} "${name}" not found`)
    if (method === 'GET') return reply(response, 200, old)
    if (method === 'DELETE') {
      this.remove(collection, metadata)
      return reply(response, 200, { kind: 'Status', status: 'Success' })
    }
    if (method === 'PATCH') return reply(response, 200, this.put(collection, merge(old, body) as FakeObject))
    const version = body?.metadata.resourceVersion
    if (version !== undefined && version !== old.metadata.resourceVersion)
      return fail(response, 409, 'Conflict', 'the object has been modified')
    reply(response, 200, this.put(collection, { ...body, metadata }))
  }

  #list({ collection, namespace }: Target, url: URL, response: ServerResponse): void {
    const all = this.list(collection).filter((o) => namespace === undefined || o.metadata.namespace === namespace)
    const from = Number(url.searchParams.get('continue') ?? 0)
    const limit = Number(url.searchParams.get('limit') ?? 0) || all.length
    const next = from + limit < all.length ? String(from + limit) : undefined
    const metadata = { resourceVersion: String(this.#revision), ...(next !== undefined && { continue: next }) }
    reply(response, 200, { kind: 'List', metadata, items: all.slice(from, from + limit) })
  }

  #watch({ collection, namespace }: Target, url: URL, response: ServerResponse): void {
    const from = Number(url.searchParams.get('resourceVersion') ?? 0)
    const watcher = { collection, namespace, response }
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (from < this.#revision && (this.#changes[0]?.revision ?? Infinity) > from + 1) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: `too old resource version: ${from}` }
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
      return
    }
    for (const change of this.#changes)
      if (change.revision > from && sees(watcher, change)) response.write(lineOf(change))
    this.#watchers.add(watcher)
    response.on('close', () => this.#watchers.delete(watcher))
  }
}

const keyOf = (collection: string, { namespace = '', name }: Metadata) => `${collection}/${namespace}/${name}`
const lineOf = ({ type, object }: Change) => `${JSON.stringify({ type, object })}\n`
const sees = ({ collection, namespace }: Watcher, change: Change) =>
  change.collection === collection && (namespace === undefined || namespace === change.object.metadata.namespace)

function parsePath(path: string): Target | undefined {
  const match =
    /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/(?:namespaces\/([^/]+)\/(?=[^/]+))?([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      path,
    )
  if (match === null) return undefined
  const [, namespace, collection, name, subresource] = match
  return {
    collection: collection!,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(subresource !== undefined && { subresource }),
  }
}

function merge(old: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof old === 'object' && old !== null ? { ...old } : {}
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  return result
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
function fail(response: ServerResponse, code: number, reason: string, message: string): void {
  reply(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message })
}

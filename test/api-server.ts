// An API server without HTTP, for tests: its engine on a store in memory, and requests as values.

import type { Access } from '#apiserver/access.ts'
import { attributesOf, refusalOf } from '#apiserver/auth/attributes.ts'
import { Engine } from '#apiserver/engine/engine.ts'
import { objectsOf } from '#apiserver/engine/objects.ts'
import { dispatch, type Extra } from '#apiserver/http/dispatch.ts'
import { targetOf } from '#apiserver/http/target.ts'
import { statusAnswer, type Answer } from '#apiserver/http/answer.ts'
import type { Kind, Objects, User } from '#apiserver/kind.ts'
import { openSqliteStore, type SqliteStore } from '#apiserver/store/sqlite-store.ts'
import type { ApiObject, Status } from '#api/meta.ts'
import { fakeClock, type FakeClock } from '#daemon/clock.ts'

export type Reply = {
  readonly code: number
  readonly contentType: string
  readonly text: string
  /** the answer as JSON: an object, a list or a Status */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  readonly warnings: readonly string[]
}
export type RequestOptions = {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly user?: User
}
export type WatchLine = { readonly type: string; readonly object: ApiObject & Partial<Status> }
export type TestWatch = { readonly lines: WatchLine[]; stop(): void }

export interface TestServer extends AsyncDisposable {
  readonly engine: Engine
  readonly store: SqliteStore
  readonly clock: FakeClock
  request(method: string, url: string, options?: RequestOptions): Promise<Reply>
  watch(url: string, options?: RequestOptions): Promise<TestWatch>
}

export const testUser: User = { name: 'tester', groups: ['system:masters', 'system:authenticated'] }
/** 2026-11-21T00:00:00Z */
export const testStartMs = Date.UTC(2026, 10, 21)

export type TestServerOptions = {
  readonly kinds: (objects: Objects) => readonly Kind[]
  readonly extra?: Extra
  /** without: everything is allowed */
  readonly access?: Access
}

/** Chance is a counter: generated names and UIDs are the same in each run. */
export function createTestServer({ kinds, extra = () => undefined, access }: TestServerOptions): TestServer {
  const clock = fakeClock(testStartMs)
  const store = openSqliteStore({ path: ':memory:', clock })
  let counter = 0
  const world = {
    nowMs: () => clock.now(),
    random: (below: number) => counter++ % below,
    uuid: () => `00000000-0000-4000-8000-${String(++counter).padStart(12, '0')}`,
  }
  const engine = new Engine(store, world, objectsOf, kinds, access?.guardOf)
  const answer = async (method: string, url: string, { body, headers = {}, user = testUser }: RequestOptions) => {
    const { pathname, search } = new URL(url, 'http://test')
    const query = new URLSearchParams(search)
    const bytes =
      body === undefined
        ? new Uint8Array()
        : body instanceof Uint8Array
          ? body
          : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
    const header = (name: string) => headers[name] ?? (name === 'user-agent' ? 'test/1.0' : undefined)
    const request = { method, path: pathname, query, queryText: search.slice(1), header, user, body: bytes }
    const target = targetOf(method, pathname, query)
    const attributes = attributesOf(user, target, query)
    const decision = access?.authorizer.decide(attributes)
    if (decision?.allowed === false) return statusAnswer(refusalOf(attributes, decision.reason))
    return dispatch(engine, request, target, extra, (error) => {
      throw error
    })
  }
  return {
    engine,
    store,
    clock,
    async request(method, url, options = {}) {
      return replyOf(await answer(method, url, options))
    },
    async watch(url, options = {}) {
      const made = await answer('GET', url, options)
      if (made.kind !== 'watch') throw new Error(`no watch: ${replyOf(made).text}`)
      const lines: WatchLine[] = []
      const decoder = new TextDecoder()
      const stop = await made.open((events) => {
        for (const event of events) lines.push(JSON.parse(decoder.decode(made.encode(event, clock.now()))) as WatchLine)
      })
      return { lines, stop }
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

function replyOf(answer: Answer): Reply {
  if (answer.kind !== 'bytes') throw new Error(`not a whole answer: ${answer.kind}`)
  const text = Buffer.concat(answer.parts).toString()
  return {
    code: answer.code,
    contentType: answer.contentType,
    text,
    body: answer.contentType.startsWith('application/json') && text !== '' ? JSON.parse(text) : undefined,
    warnings: answer.warnings ?? [],
  }
}

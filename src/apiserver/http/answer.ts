// Requests and answers as values: everything between reading a request and writing its answer is without HTTP.

import type { Status } from '#api/meta.ts'
import type { WatchSink } from '#apiserver/engine/watch.ts'
import type { Backend, User } from '#apiserver/kind.ts'
import type { WatchEncoder } from '#apiserver/print/encode.ts'

export type ApiRequest = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** the same as it came: '' or what follows the question mark */
  readonly queryText: string
  header(name: string): string | undefined
  readonly user: User
  readonly body: Uint8Array
}

export type Answer =
  | {
      readonly kind: 'bytes'
      readonly code: number
      readonly contentType: string
      readonly parts: readonly Uint8Array[]
      readonly headers?: Readonly<Record<string, string>>
      /** each becomes a Warning header */
      readonly warnings?: readonly string[]
    }
  | {
      readonly kind: 'watch'
      readonly contentType: string
      readonly encode: WatchEncoder
      readonly bookmarks: boolean
      readonly timeoutMs: number
      /** aborted when the resource is served no more */
      readonly ended: AbortSignal
      /** Starts the events; the answer stops them. Throws StatusError. */
      open(sink: WatchSink): Promise<() => void>
      /** the revision for a bookmark */
      revision(): number
    }
  /** sent as it comes; what is thrown on the way breaks the connection */
  | { readonly kind: 'stream'; readonly contentType: string; readonly chunks: AsyncIterable<Uint8Array> }
  | { readonly kind: 'relay'; readonly node: string; readonly pathAndQuery: string }
  /** `prefix`: the path of the /proxy, below which the backend's own paths are */
  | { readonly kind: 'proxy'; readonly backend: Backend; readonly pathAndQuery: string; readonly prefix: string }

const encoder = new TextEncoder()

export function textAnswer(code: number, text: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { kind: 'bytes', code, contentType, parts: [encoder.encode(text)] }
}

export function jsonAnswer(value: unknown, code = 200, contentType = 'application/json'): Answer {
  return { kind: 'bytes', code, contentType, parts: [encoder.encode(JSON.stringify(value))] }
}

export function statusAnswer(status: Status): Answer {
  const seconds = status.details?.retryAfterSeconds
  const answer = jsonAnswer(status, status.code ?? 200) as Extract<Answer, { kind: 'bytes' }>
  return seconds === undefined ? answer : { ...answer, headers: { 'retry-after': String(seconds) } }
}

/** `299 - "text"`, as RFC 7234 has it. */
export const warningHeader = (text: string): string =>
  `299 - "${text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[\r\n]+/g, ' ')}"`

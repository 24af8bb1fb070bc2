// effect: HTTP requests to a Kubernetes API server
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { List, Status } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { ClientConfig } from '#client/kubeconfig.ts'

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

export declare function connect(config: ClientConfig): Client

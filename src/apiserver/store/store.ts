// What the server asks of a store: revisioned keys with compare-and-swap, history back to a compaction, and watches.
// The terms are etcd's: every write is one revision of the whole store; an object's resourceVersion is the revision of
// its last write, a list's is the store's revision at the time of reading.

import type { ApiObject } from '#api/meta.ts'

/** The JSON of an object as it is stored (without resourceVersion), and the object itself where someone has it already. */
export type Value = { readonly text: string; readonly object?: ApiObject }

export type Stored = {
  readonly key: string
  readonly value: Value
  readonly revision: number
}

/** One write. A delete has no value. `previous` is what the key held before, asked for by `changes` only. */
export type Change = {
  readonly key: string
  readonly revision: number
  readonly value: Value | undefined
  readonly previous?: Value
}

/** Whether a conditional write was done; if not, what stands there instead (undefined: nothing). */
export type Written =
  | { readonly done: true; readonly revision: number }
  | { readonly done: false; readonly current: Stored | undefined }

export type Page = {
  readonly items: readonly Stored[]
  /** the revision that the list shows */
  readonly revision: number
}
export type ListOptions = {
  /** 0 or absent: all */
  readonly limit?: number
  /** the first key to answer */
  readonly from?: string
  /** as of this revision; absent: now */
  readonly revision?: number
}
export type PartOptions = Pick<ListOptions, 'from' | 'revision'> & {
  /** how many keys a part has at the most; absent: the store's choice */
  readonly size?: number
}
/** One key as a backup keeps it. */
export type Exported = {
  readonly key: string
  readonly text: string
  /** what is left of its time; undefined: it stays */
  readonly ttlSeconds: number | undefined
}
export type WriteOptions = {
  /** after which the key goes away by itself */
  readonly ttlSeconds?: number
}

/**
 * Called with changes of the watched keys in order, and with the revision up to which nothing is missing any more: also
 * without changes, when others went on.
 */
export type Sink = (changes: readonly Change[], through: number) => void

/** All methods throw StoreError. Keys are sorted by code units. */
export interface Store extends AsyncDisposable {
  /** why the last write failed; undefined once one succeeds */
  readonly trouble: string | undefined
  /** The revision of the last write that anyone was told of. */
  revision(): Promise<number>
  get(key: string): Promise<Stored | undefined>
  list(prefix: string, options?: ListOptions): Promise<Page>
  /**
   * Everything below a prefix as of one revision, which each part names, in parts between which others get their turn; at
   * least one part.
   */
  parts(prefix: string, options?: PartOptions): AsyncIterable<Page>
  create(key: string, value: Value, options?: WriteOptions): Promise<Written>
  /** Writes if the key's last write was `expected`. */
  update(key: string, value: Value, expected: number, options?: WriteOptions): Promise<Written>
  delete(key: string, expected: number): Promise<Written>
  /**
   * Every change after the current revision, which it answers, until closed. `lost` is called where changes can no longer
   * be told: then what is there has to be read anew; what changes after it is told again.
   */
  watch(prefix: string, sink: Sink, lost?: () => Promise<void>): Promise<{ readonly revision: number; close(): void }>
  /** The changes after one revision up to and with another, oldest first, with what was there before. */
  changes(prefix: string, after: number, through: number): Promise<readonly Change[]>
  /** Forgets what was superseded at or before this revision. */
  compact(revision: number): Promise<void>
  /** The revision of the last compaction: history before it is gone. */
  compacted(): Promise<number>
  /** Everything, as of one revision. */
  export(): AsyncIterable<Exported>
  /** Goes on from at least this revision, and forgets all history before. */
  advance(revision: number): Promise<void>
}

export type StoreErrorCode = 'compacted' | 'future' | 'full' | 'corrupt' | 'locked' | 'unreadable' | 'closed' | 'failed'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  /**
   * compacted: that revision is forgotten; future: it is not there yet; full: no space; corrupt: the file is damaged or no
   * store; locked: another process has it; unreadable: cannot be opened; failed: anything else
   */
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The first key after all that start with `prefix`. */
export function endOf(prefix: string): string {
  if (prefix === '') return '\u{10ffff}'
  const last = prefix.length - 1
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1)
}

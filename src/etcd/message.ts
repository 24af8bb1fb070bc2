// The messages of etcd's v3 API that are used here, as values and as bytes (etcdserverpb, mvccpb; etcd 3.4 and later).

import { WireReader, WireWriter } from '#lib/protobuf-wire.ts'

export type KeyValue = {
  readonly key: string
  readonly value: Uint8Array
  /** of the last write of this key */
  readonly modRevision: number
  /** 0: none */
  readonly lease: number
}

export type RangeRequest = {
  readonly key: string
  /** the first key after the range; absent: one key */
  readonly end?: string
  /** 0: all */
  readonly limit?: number
  /** as of this revision; 0: now */
  readonly revision?: number
  readonly countOnly?: boolean
}
export type RangeResponse = {
  /** of the whole store, when it answered */
  readonly revision: number
  readonly items: readonly KeyValue[]
  /** keys in the range, whatever the limit */
  readonly count: number
}

export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: number }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'get'; readonly key: string }

/** `success` where the last write of the key was at this revision (0: there is no such key), else `failure`. */
export type TxnRequest = {
  readonly key: string
  readonly modRevision: number
  readonly success: Operation
  readonly failure: Operation
}
export type TxnResponse = {
  readonly revision: number
  readonly succeeded: boolean
  /** what a `get` found */
  readonly found: KeyValue | undefined
}

export type WatchRequest = {
  readonly key: string
  readonly end: string
  readonly startRevision: number
  readonly withPrevious: boolean
}
export type Event = {
  readonly kind: 'put' | 'delete'
  /** of a delete: its key and revision */
  readonly kv: KeyValue
  readonly previous: KeyValue | undefined
}
export type WatchResponse = {
  readonly revision: number
  readonly isCreated: boolean
  readonly isCanceled: boolean
  /** 0 unless the watch was canceled since its start is forgotten: the oldest revision that is there */
  readonly compactRevision: number
  readonly reason: string
  readonly events: readonly Event[]
}

/** The range of all keys. */
export const everything = { key: '\0', end: '\0' } as const

type Fields = (writer: WireWriter) => void
const written = (fields: Fields): Uint8Array => {
  const writer = new WireWriter()
  fields(writer)
  return writer.done()
}

export const encodeRange = (request: RangeRequest): Uint8Array => written((writer) => writeRange(writer, request))

function writeRange(writer: WireWriter, { key, end, limit = 0, revision = 0, countOnly }: RangeRequest): void {
  writer.textField(1, key)
  if (end !== undefined) writer.textField(2, end)
  if (limit > 0) writer.integerField(3, limit)
  if (revision > 0) writer.integerField(4, revision)
  if (countOnly) writer.integerField(9, 1)
}

export function decodeRange(bytes: Uint8Array): RangeResponse {
  return readRange(new WireReader(bytes))
}

function readRange(reader: WireReader): RangeResponse {
  const items: KeyValue[] = []
  let [revision, count] = [0, 0]
  while (reader.next()) {
    if (reader.field === 1) revision = readHeader(reader.message())
    else if (reader.field === 2) items.push(readKeyValue(reader.message()))
    else if (reader.field === 4) count = reader.integer()
    else reader.skip()
  }
  return { revision, items, count }
}

const compare = { equal: 0, mod: 2 } as const

export const encodeTxn = ({ key, modRevision, success, failure }: TxnRequest): Uint8Array =>
  written((writer) => {
    writer.messageField(1, (inner) => {
      inner.integerField(1, compare.equal)
      inner.integerField(2, compare.mod)
      inner.textField(3, key)
      inner.integerField(6, modRevision)
    })
    writer.messageField(2, (inner) => writeOperation(inner, success))
    writer.messageField(3, (inner) => writeOperation(inner, failure))
  })

function writeOperation(writer: WireWriter, operation: Operation): void {
  switch (operation.kind) {
    case 'get':
      return writer.messageField(1, (inner) => writeRange(inner, operation))
    case 'put':
      return writer.messageField(2, (inner) => writePut(inner, operation))
    case 'delete':
      return writer.messageField(3, (inner) => inner.textField(1, operation.key))
  }
}

type Put = Extract<Operation, { kind: 'put' }>

function writePut(writer: WireWriter, { key, value, lease }: Put): void {
  writer.textField(1, key)
  writer.bytesField(2, value)
  if (lease) writer.integerField(3, lease)
}

export const encodePut = (put: Put): Uint8Array => written((writer) => writePut(writer, put))
export const encodeDelete = (key: string): Uint8Array => written((writer) => writer.textField(1, key))

export function decodeTxn(bytes: Uint8Array): TxnResponse {
  const reader = new WireReader(bytes)
  let [revision, succeeded, found] = [0, false, undefined as KeyValue | undefined]
  while (reader.next()) {
    if (reader.field === 1) revision = readHeader(reader.message())
    else if (reader.field === 2) succeeded = reader.integer() !== 0
    else if (reader.field === 3) {
      const operation = reader.message()
      while (operation.next())
        if (operation.field === 1) [found] = readRange(operation.message()).items
        else operation.skip()
    } else reader.skip()
  }
  return { revision, succeeded, found }
}

export const encodeAuthenticate = (name: string, password: string): Uint8Array =>
  written((writer) => {
    writer.textField(1, name)
    writer.textField(2, password)
  })

/** The token. */
export function decodeAuthenticate(bytes: Uint8Array): string {
  const reader = new WireReader(bytes)
  let token = ''
  while (reader.next())
    if (reader.field === 2) token = reader.text()
    else reader.skip()
  return token
}

export const encodeCompaction = (revision: number): Uint8Array => written((writer) => writer.integerField(1, revision))

/** Ids above 2^53 cannot be told here, so the caller chooses one. */
export const encodeLeaseGrant = (id: number, ttlSeconds: number): Uint8Array =>
  written((writer) => {
    writer.integerField(1, ttlSeconds)
    writer.integerField(2, id)
  })

export const encodeLeaseTimeToLive = (id: number): Uint8Array => written((writer) => writer.integerField(1, id))

/** In seconds; negative for a lease that is gone. */
export function decodeLeaseTimeToLive(bytes: Uint8Array): number {
  const reader = new WireReader(bytes)
  let seconds = 0
  while (reader.next())
    if (reader.field === 3) seconds = reader.integer()
    else reader.skip()
  return seconds
}

export const encodeWatch = ({ key, end, startRevision, withPrevious }: WatchRequest): Uint8Array =>
  written((writer) =>
    writer.messageField(1, (inner) => {
      inner.textField(1, key)
      inner.textField(2, end)
      inner.integerField(3, startRevision)
      if (withPrevious) inner.integerField(6, 1)
    }),
  )

export function decodeWatch(bytes: Uint8Array): WatchResponse {
  const reader = new WireReader(bytes)
  const events: Event[] = []
  let [revision, isCreated, isCanceled, compactRevision, reason] = [0, false, false, 0, '']
  while (reader.next()) {
    if (reader.field === 1) revision = readHeader(reader.message())
    else if (reader.field === 3) isCreated = reader.integer() !== 0
    else if (reader.field === 4) isCanceled = reader.integer() !== 0
    else if (reader.field === 5) compactRevision = reader.integer()
    else if (reader.field === 6) reason = reader.text()
    else if (reader.field === 11) events.push(readEvent(reader.message()))
    else reader.skip()
  }
  return { revision, isCreated, isCanceled, compactRevision, reason, events }
}

function readEvent(reader: WireReader): Event {
  let [isDelete, kv, previous] = [false, nothing, undefined as KeyValue | undefined]
  while (reader.next()) {
    if (reader.field === 1) isDelete = reader.integer() === 1
    else if (reader.field === 2) kv = readKeyValue(reader.message())
    else if (reader.field === 3) previous = readKeyValue(reader.message())
    else reader.skip()
  }
  return { kind: isDelete ? 'delete' : 'put', kv, previous }
}

const nothing: KeyValue = { key: '', value: new Uint8Array(), modRevision: 0, lease: 0 }

function readKeyValue(reader: WireReader): KeyValue {
  let { key, value, modRevision, lease } = nothing
  while (reader.next()) {
    if (reader.field === 1) key = reader.text()
    else if (reader.field === 3) modRevision = reader.integer()
    else if (reader.field === 5) value = reader.bytes()
    else if (reader.field === 6) lease = reader.integer()
    else reader.skip()
  }
  return { key, value, modRevision, lease }
}

/** The revision. */
function readHeader(reader: WireReader): number {
  let revision = 0
  while (reader.next())
    if (reader.field === 3) revision = reader.integer()
    else reader.skip()
  return revision
}

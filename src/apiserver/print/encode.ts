// Answers as bytes, in the representation that the client asked for.

import { stringify } from 'yaml'
import type { ApiObject, ListMeta } from '#api/meta.ts'
import type { Entry } from '#apiserver/cache/entry.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { Outcome } from '#apiserver/engine/write.ts'
import { keyOf, type Representation } from '#apiserver/print/accept.ts'
import { partialOf, tableOf } from '#apiserver/print/table.ts'
import { bookmarkObject, type WatchEvent } from '#apiserver/engine/watch.ts'

const encoder = new TextEncoder()
const jsonBytes = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))

/** Any value that is no stored object: a Status, a Scale, a document of discovery. */
export function encodeValue(representation: Representation, value: unknown): Uint8Array {
  return representation.kind === 'yaml' ? encoder.encode(stringify(value)) : jsonBytes(value)
}

export function encodeObject(
  representation: Representation,
  served: Served,
  { object, entry }: Outcome,
  nowMs: number,
): Uint8Array {
  switch (representation.kind) {
    case 'json':
      return entry?.bytes ?? jsonBytes(object)
    case 'yaml':
      return encodeValue(representation, object)
    case 'partial':
      return jsonBytes(partialOf(object, representation.version))
    case 'table': {
      const metadata = { resourceVersion: object.metadata?.resourceVersion ?? '' }
      return jsonBytes(tableOf(served.kind, [object], metadata, representation, nowMs))
    }
  }
}

const firstItem = encoder.encode('{')
const nextItem = encoder.encode(',{')
const listEnd = encoder.encode(']}\n')

/**
 * What objects of a list do not say, since the list does: their apiVersion and kind, with which their bytes begin. Custom
 * resources, which nobody knows by their type, do.
 */
function saidOf({ apiVersion, resource, kind }: Served): number {
  if (kind.custom !== undefined) return 1
  return encoder.encode(`{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(resource.kind)},`).length
}

const itemOf =
  ({ kind }: Served) =>
  ({ object }: Entry): ApiObject => {
    const { apiVersion: _, kind: __, ...item } = object
    return kind.custom === undefined ? item : object
  }

/** A list in pieces: the bytes of each object are those of the cache, not copies. */
export function encodeList(
  representation: Representation,
  served: Served,
  entries: readonly Entry[],
  metadata: ListMeta,
  nowMs: number,
): readonly Uint8Array[] {
  const { kind, apiVersion } = listKind(representation, served)
  switch (representation.kind) {
    case 'json': {
      const head = `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`
      const parts: Uint8Array[] = [encoder.encode(head)]
      const said = saidOf(served)
      for (const [index, { bytes }] of entries.entries()) {
        parts.push(index === 0 ? firstItem : nextItem, bytes.subarray(said))
      }
      parts.push(listEnd)
      return parts
    }
    case 'yaml':
      return [encoder.encode(stringify({ kind, apiVersion, metadata, items: entries.map(itemOf(served)) }))]
    case 'partial': {
      const items = entries.map(({ object }) => partialOf(object, representation.version))
      return [jsonBytes({ kind, apiVersion, metadata, items })]
    }
    case 'table':
      return [
        jsonBytes(
          tableOf(
            served.kind,
            entries.map(({ object }) => object),
            metadata,
            representation,
            nowMs,
          ),
        ),
      ]
  }
}

function listKind(representation: Representation, { apiVersion, kind, resource }: Served) {
  return representation.kind === 'partial'
    ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${representation.version}` }
    : { kind: kind.listKind ?? `${resource.kind}List`, apiVersion }
}

/** Watches in one representation: how each event looks on the wire, encoded once for all of them. */
export function watchEncoder(representation: Representation, served: Served): WatchEncoder {
  const key = keyOf(representation)
  // The first table of a watch says what the columns are, and only the first.
  let isLater = false
  return (event, nowMs) => {
    if (event.kind === 'bookmark') {
      const object = bookmarkObject(served, event.revision, event.endsInitialEvents)
      return encodeEvent('BOOKMARK', jsonBytes(bookmarkAs(representation, served, object)))
    }
    const isFirst = !isLater
    isLater = true
    const whole = () => encodeEvent(event.type, encodeWatched(representation, served, event.entry, nowMs, !isFirst))
    if (event.of === undefined || (isFirst && representation.kind === 'table')) return whole()
    const known = event.of.encoded.get(`${event.type} ${key}`)
    if (known !== undefined) return known
    const bytes = whole()
    event.of.encoded.set(`${event.type} ${key}`, bytes)
    return bytes
  }
}
export type WatchEncoder = (event: WatchEvent, nowMs: number) => Uint8Array

function encodeWatched(
  representation: Representation,
  served: Served,
  entry: Entry,
  nowMs: number,
  isLater: boolean,
): Uint8Array {
  switch (representation.kind) {
    case 'json':
    case 'yaml':
      return entry.bytes
    case 'partial':
      return jsonBytes(partialOf(entry.object, representation.version))
    case 'table': {
      const metadata = { resourceVersion: String(entry.revision) }
      return jsonBytes(tableOf(served.kind, [entry.object], metadata, representation, nowMs, isLater))
    }
  }
}

function bookmarkAs(representation: Representation, served: Served, object: ApiObject): unknown {
  if (representation.kind === 'partial') return partialOf(object, representation.version)
  if (representation.kind !== 'table') return object
  // A table without rows would lose the revision and the annotation: the row carries the bookmark itself.
  const { resourceVersion = '' } = object.metadata ?? {}
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${representation.version}`,
    metadata: { resourceVersion },
    columnDefinitions: [],
    rows: [{ cells: served.kind.columns.map(() => ''), object: partialOf(object, representation.version) }],
  }
}

const eventEnd = encoder.encode('}\n')

/** One line of a watch. */
export function encodeEvent(type: string, object: Uint8Array): Uint8Array {
  const head = encoder.encode(`{"type":"${type}","object":`)
  const bytes = new Uint8Array(head.length + object.length + eventEnd.length)
  bytes.set(head)
  bytes.set(object, head.length)
  bytes.set(eventEnd, head.length + object.length)
  return bytes
}

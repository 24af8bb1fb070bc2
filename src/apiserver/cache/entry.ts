// One version of one object as the server holds it: its bytes, ready to be sent, and what selectors ask of it. The
// parsed object is kept only as long as someone uses it: a hundred thousand of them would not fit.

import type { ApiObject } from '#api/meta.ts'
import { byteLength } from '#api/go-text.ts'
import type { Stored, Value } from '#apiserver/store/store.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Of what an entry keeps at hand: the values of a kind's field selectors. */
export type FieldsOf = (object: ApiObject) => Readonly<Record<string, string>>

export class Entry {
  /** 'name' or 'namespace/name' */
  readonly key: string
  readonly revision: number
  /** the object's JSON with its resourceVersion */
  readonly bytes: Uint8Array
  readonly labels: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, string>>
  #object: WeakRef<ApiObject> | undefined

  constructor(
    key: string,
    revision: number,
    bytes: Uint8Array,
    selected: { readonly labels: Entry['labels']; readonly fields: Entry['fields'] },
    object?: ApiObject,
  ) {
    this.key = key
    this.revision = revision
    this.bytes = bytes
    this.labels = selected.labels
    this.fields = selected.fields
    this.#object = object === undefined ? undefined : new WeakRef(object)
  }

  get namespace(): string {
    return namespaceOf(this.key)
  }
  get name(): string {
    return this.key.slice(this.key.indexOf('/') + 1)
  }

  /** The object with its resourceVersion. Shared: not to be changed. */
  get object(): ApiObject {
    const known = this.#object?.deref()
    if (known !== undefined) return known
    const object = JSON.parse(decoder.decode(this.bytes)) as ApiObject
    this.#object = new WeakRef(object)
    return object
  }
}

const none = Object.freeze({})

/** The part of a key before its slash; '' for a cluster-wide object. */
export function namespaceOf(key: string): string {
  const slash = key.indexOf('/')
  return slash < 0 ? '' : key.slice(0, slash)
}

/** What the store holds as an entry. */
export function entryOf(key: string, revision: number, value: Value, fieldsOf: FieldsOf | undefined): Entry {
  const bytes = encoder.encode(withRevision(value.text, revision))
  const plain = value.object ?? (JSON.parse(value.text) as ApiObject)
  const object = { ...plain, metadata: { ...plain.metadata, resourceVersion: String(revision) } }
  const fields = fieldsOf?.(object) ?? none
  return new Entry(key, revision, bytes, { labels: object.metadata.labels ?? none, fields }, object)
}

/**
 * Many at once, as a server finds them when it starts: their bytes lie in one piece of memory, and nobody has the objects
 * at hand yet.
 */
export function entriesOf(
  items: readonly Stored[],
  shorten: (key: string) => string,
  fieldsOf: FieldsOf | undefined,
): readonly Entry[] {
  const texts = items.map(({ value, revision }) => withRevision(value.text, revision))
  const joined = texts.join('')
  const all = encoder.encode(joined)
  // Most are ASCII: as many bytes as characters.
  const isAscii = all.length === joined.length
  let at = 0
  return items.map(({ key, revision, value }, index) => {
    const text = texts[index]!
    const end = at + (isAscii ? text.length : byteLength(text))
    const bytes = all.subarray(at, end)
    at = end
    const object = value.object ?? (JSON.parse(value.text) as ApiObject)
    return new Entry(shorten(key), revision, bytes, {
      labels: object.metadata?.labels ?? none,
      fields: fieldsOf?.(object) ?? none,
    })
  })
}

/** The same object as of a later revision: how a deleted one is shown. */
export function entryAt(entry: Entry, revision: number): Entry {
  const bytes = encoder.encode(withRevision(withoutRevision(decoder.decode(entry.bytes)), revision))
  return new Entry(entry.key, revision, bytes, entry)
}

/**
 * The text to store. The order of its first members is fixed, so that a resourceVersion can be put in without parsing.
 */
export function valueOf(object: ApiObject): Value {
  const { apiVersion, kind, metadata, ...rest } = object
  const { resourceVersion: _, ...stored } = metadata ?? {}
  const ordered = { apiVersion, kind, metadata: stored, ...rest }
  return { text: JSON.stringify(ordered), object: ordered as ApiObject }
}

const start = '"metadata":{'
const revisionPattern = /"metadata":\{"resourceVersion":"\d+",?/

function withRevision(text: string, revision: number): string {
  const at = text.indexOf(start) + start.length
  const comma = text[at] === '}' ? '' : ','
  return `${text.slice(0, at)}"resourceVersion":"${revision}"${comma}${text.slice(at)}`
}
const withoutRevision = (text: string) => text.replace(revisionPattern, start)

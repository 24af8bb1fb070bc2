// LIST: which objects, as of which revision, in which pages.

import type { ListMeta, Status } from '#api/meta.ts'
import { badRequest, continueTooOldWithToken, expired, listTooOld, StatusError, versionTooLarge } from '#api/status.ts'
import { entryOf, type Entry } from '#apiserver/cache/entry.ts'
import { onlyKey, prefixOf, selects, type Selection } from '#apiserver/cache/selection.ts'
import { decodeContinue, encodeContinue } from '#apiserver/engine/continue-token.ts'
import type { ListOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { StoreError } from '#apiserver/store/store.ts'

export type Listed = { readonly entries: readonly Entry[]; readonly metadata: ListMeta }

/** Throws StatusError. */
export async function listObjects(served: Served, namespace: string, options: ListOptions): Promise<Listed> {
  const selection: Selection = { namespace, labels: options.labels, fields: options.fields }
  const current = await served.cache.fresh()
  const start = startOf(options, current)
  if (start.revision > current) throw new StatusError(versionTooLarge(start.revision, current, false))
  // What has not changed since a revision looks as it did then.
  const isNow = start.revision < 0 || served.cache.changedAt <= start.revision
  const shown = start.revision < 0 ? current : start.revision
  const from = start.from === '' ? prefixOf(selection) : start.from
  const page = isNow
    ? pageOf(currentOf(served, selection, from), selection, options.limit)
    : await historicPage(served, selection, { from, revision: shown }, options.limit)
  return { entries: page.entries, metadata: metadataOf(served, page, selection, shown) }
}

type Start = { readonly revision: number; readonly from: string }

/** Where the list begins, and as of when: -1 for now. */
function startOf(options: ListOptions, current: number): Start {
  const { continue: token, resourceVersion, match } = options
  if (token === '') {
    const wanted = resourceVersion ?? 0
    if (match === 'Exact') return { revision: wanted, from: '' }
    // Not older than: the newest there is will do, if it is new enough.
    if (wanted > current) throw new StatusError(versionTooLarge(wanted, current))
    return { revision: -1, from: '' }
  }
  if (resourceVersion !== undefined && resourceVersion !== 0)
    throw new StatusError(badRequest('specifying resource version is not allowed when using continue'))
  const decoded = decodeContinue(token)
  if (decoded === undefined) throw new StatusError(badRequest('invalid continue token: continue key is not valid'))
  return { revision: decoded.revision, from: decoded.from }
}

/** `next`: the last key of the page, where there is more. */
type Page = { readonly entries: Entry[]; readonly next: string | undefined }

function currentOf({ cache, resource }: Served, selection: Selection, from: string): Iterable<Entry> {
  const only = onlyKey(selection, resource.namespaced)
  if (only === undefined) return cache.range(prefixOf(selection), from)
  const entry = only < from ? undefined : cache.get(only)
  return entry === undefined ? [] : [entry]
}

function pageOf(candidates: Iterable<Entry>, selection: Selection, limit: number): Page {
  const entries: Entry[] = []
  for (const entry of candidates) {
    if (!selects(selection, entry)) continue
    if (limit > 0 && entries.length === limit) return { entries, next: entries.at(-1)!.key }
    entries.push(entry)
  }
  return { entries, next: undefined }
}

function metadataOf({ cache }: Served, { next }: Page, selection: Selection, revision: number): ListMeta {
  const resourceVersion = String(revision)
  if (next === undefined) return { resourceVersion }
  const token = encodeContinue(revision, next)
  // With a selector nobody promises to count what has not been looked at; else it says how much there is now.
  const isCounted = selection.labels.length === 0 && selection.fields.length === 0
  const remainingItemCount = cache.count(prefixOf(selection), `${next}\0`)
  return { resourceVersion, continue: token, ...(isCounted && remainingItemCount > 0 ? { remainingItemCount } : {}) }
}

/** A page of what was there at a revision. With a selector more is read than it picks, but never all at once. */
async function historicPage(
  { prefix, kind, store }: Served,
  selection: Selection,
  { from, revision }: Start,
  limit: number,
): Promise<Page> {
  const isPicky = selection.labels.length > 0 || selection.fields.length > 0
  const size = limit > 0 && !isPicky ? { size: limit + 1 } : {}
  const entries: Entry[] = []
  try {
    for await (const { items } of store.parts(prefix + prefixOf(selection), { from: prefix + from, revision, ...size }))
      for (const item of items) {
        const entry = entryOf(item.key.slice(prefix.length), item.revision, item.value, kind.fields?.bind(kind))
        if (!selects(selection, entry)) continue
        if (limit > 0 && entries.length === limit) return { entries, next: entries.at(-1)!.key }
        entries.push(entry)
      }
    return { entries, next: undefined }
  } catch (error) {
    if (error instanceof StoreError && error.code === 'compacted')
      throw new StatusError(from === '' || from === prefixOf(selection) ? expired(listTooOld) : expiredPage(from))
    throw error
  }
}

/** The client may go on at the same key with what is there now, knowing that it is not one list any more. */
function expiredPage(from: string): Status {
  const token = encodeContinue(-1, from.replace(/\0$/, ''))
  return { ...expired(continueTooOldWithToken), metadata: { continue: token } }
}

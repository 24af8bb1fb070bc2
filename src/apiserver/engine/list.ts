// LIST: which objects, as of which revision, in which pages.

import type { ListMeta, Status } from '#api/meta.ts'
import { badRequest, continueTooOldWithToken, expired, listTooOld, StatusError, versionTooLarge } from '#api/status.ts'
import { entryOf, type Entry } from '#apiserver/cache/entry.ts'
import { onlyKey, prefixOf, selects, type Selection } from '#apiserver/cache/selection.ts'
import { decodeContinue, encodeContinue } from '#apiserver/engine/continue-token.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import type { ListOptions } from '#apiserver/engine/options.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { StoreError } from '#apiserver/store/store.ts'

export type Listed = { readonly entries: readonly Entry[]; readonly metadata: ListMeta }

/** Throws StatusError. */
export async function listObjects(
  engine: Engine,
  served: Served,
  namespace: string,
  options: ListOptions,
): Promise<Listed> {
  const selection: Selection = { namespace, labels: options.labels, fields: options.fields }
  const current = await served.cache.fresh()
  const start = startOf(options, current)
  if (start.revision > current) throw new StatusError(versionTooLarge(start.revision, current, false))
  // What has not changed since a revision looks as it did then.
  const isNow = start.revision < 0 || served.cache.changedAt <= start.revision
  const shown = start.revision < 0 ? current : start.revision
  const from = start.from === '' ? prefixOf(selection) : start.from
  const candidates = isNow ? currentOf(served, selection, from) : await historic(engine, served, selection, from, shown)
  const page = pageOf(candidates, selection, options.limit)
  return { entries: page.entries, metadata: metadataOf(page, selection, shown) }
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

type Page = { readonly entries: Entry[]; readonly next: string | undefined; readonly remaining: number }

function currentOf({ cache, resource }: Served, selection: Selection, from: string): Iterable<Entry> {
  const only = onlyKey(selection, resource.namespaced)
  if (only === undefined) return cache.range(prefixOf(selection), from)
  const entry = only < from ? undefined : cache.get(only)
  return entry === undefined ? [] : [entry]
}

function pageOf(candidates: Iterable<Entry>, selection: Selection, limit: number): Page {
  const entries: Entry[] = []
  let remaining = 0
  for (const entry of candidates) {
    if (!selects(selection, entry)) continue
    if (limit <= 0 || entries.length < limit) entries.push(entry)
    else if (isCounted(selection)) remaining++
    else return { entries, next: entries.at(-1)?.key, remaining: 1 }
  }
  return { entries, next: remaining > 0 ? entries.at(-1)?.key : undefined, remaining }
}

/** With a selector nobody promises to count what has not been looked at. */
const isCounted = ({ labels, fields }: Selection) => labels.length === 0 && fields.length === 0

function metadataOf({ next, remaining }: Page, selection: Selection, revision: number): ListMeta {
  const resourceVersion = String(revision)
  if (next === undefined) return { resourceVersion }
  const token = encodeContinue(revision, next)
  return { resourceVersion, continue: token, ...(isCounted(selection) ? { remainingItemCount: remaining } : {}) }
}

async function historic(
  engine: Engine,
  served: Served,
  selection: Selection,
  from: string,
  revision: number,
): Promise<Entry[]> {
  const { prefix, kind } = served
  try {
    const page = await served.store.list(prefix + prefixOf(selection), { from: prefix + from, revision })
    return page.items.map((item) =>
      entryOf(item.key.slice(prefix.length), item.revision, item.value, kind.fields?.bind(kind)),
    )
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

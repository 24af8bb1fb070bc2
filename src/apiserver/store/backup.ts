// A backup of a store as lines of JSON: a head, a line for each key, and an end that says how many there were and what they
// add up to, so that half a backup is never taken for a whole one.

import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '#lib/bytes.ts'
import type { Exported, Store } from '#apiserver/store/store.ts'

const format = 1

type Head = { readonly fairwayBackup: number; readonly takenAt: string }
type End = { readonly keys: number; readonly revision: number; readonly sha256: string }
type Line = Head | { readonly key: string; readonly ttlSeconds?: number; readonly value: unknown } | End

const encoder = new TextEncoder()

/** Keys that servers keep for themselves while they run. */
const isInternal = (key: string) => key.startsWith('~')

/** Yields pieces of the file. `takenAt`: a time as the API writes it. */
export async function* renderBackup(store: Store, takenAt: string): AsyncGenerator<Uint8Array> {
  const sum = sha256.create()
  const encode = (line: string): Uint8Array => {
    const bytes = encoder.encode(`${line}\n`)
    sum.update(bytes)
    return bytes
  }
  yield encode(JSON.stringify({ fairwayBackup: format, takenAt } satisfies Head))
  let keys = 0
  for await (const { key, text, ttlSeconds } of store.export()) {
    if (isInternal(key)) continue
    keys++
    const ttl = ttlSeconds === undefined ? '' : `,"ttlSeconds":${ttlSeconds}`
    // The text is JSON already.
    yield encode(`{"key":${JSON.stringify(key)}${ttl},"value":${text}}`)
  }
  // Asked for at the end: nothing above is newer.
  const end: End = { keys, revision: await store.revision(), sha256: toHex(sum.digest()) }
  yield encoder.encode(`${JSON.stringify(end)}\n`)
}

/** What a backup says of itself. */
export type Backup = {
  readonly takenAt: string
  /** how many keys it has */
  readonly keys: number
  /** of the store when it was taken: no key in it is newer */
  readonly revision: number
}

/** Reads a backup line by line. `take` gets each key; `end` answers what it was, or throws an Error that says what is wrong. */
export class BackupReader {
  readonly #sum = sha256.create()
  #line = 0
  #head: Head | undefined
  #keys = 0
  #end: End | undefined

  /** One line without its end; undefined for the lines that hold no key. */
  take(line: string): Exported | undefined {
    this.#line++
    if (this.#end !== undefined) throw new Error(`line ${this.#line}: there is something after the end`)
    const parsed = this.#parse(line)
    if ('sha256' in parsed) {
      this.#checkEnd(parsed)
      return undefined
    }
    this.#sum.update(encoder.encode(`${line}\n`))
    if (this.#head === undefined) {
      if (!('fairwayBackup' in parsed)) throw new Error('this is no backup of a store')
      if (parsed.fairwayBackup !== format)
        throw new Error(`the backup has format ${parsed.fairwayBackup}, not ${format}`)
      this.#head = parsed
      return undefined
    }
    if (!('key' in parsed) || typeof parsed.key !== 'string') throw new Error(`line ${this.#line} is damaged`)
    this.#keys++
    return { key: parsed.key, text: JSON.stringify(parsed.value), ttlSeconds: parsed.ttlSeconds }
  }

  end(): Backup {
    if (this.#head === undefined) throw new Error('this is no backup of a store')
    if (this.#end === undefined) throw new Error(`the backup is cut off after line ${this.#line}`)
    return { takenAt: this.#head.takenAt, keys: this.#keys, revision: this.#end.revision }
  }

  #parse(line: string): Line {
    try {
      return JSON.parse(line) as Line
    } catch {
      throw new Error(this.#line === 1 ? 'this is no backup of a store' : `line ${this.#line} is damaged or cut off`)
    }
  }

  #checkEnd(end: End): void {
    const { keys, sha256: sum } = end
    if (keys !== this.#keys) throw new Error(`the backup has ${this.#keys} keys, and says that it had ${keys}`)
    if (sum !== toHex(this.#sum.digest())) throw new Error('the backup is damaged: its checksum is wrong')
    this.#end = end
  }
}

/** Writes at once: enough to share a sync of the disk, few enough to wait for. */
const atOnce = 200

/** Puts keys into a store that is empty, and lets it go on after `revision`. Throws StoreError, and an Error where it is not. */
export async function fillStore(store: Store, items: AsyncIterable<Exported>, revision: number): Promise<number> {
  const { items: there } = await store.list('', { limit: 1, from: '' })
  if (there.some(({ key }) => !isInternal(key))) throw new Error('the store is not empty')
  let count = 0
  let batch: Exported[] = []
  const flush = async () => {
    await Promise.all(
      batch.map(({ key, text, ttlSeconds }) =>
        store.create(key, { text }, ttlSeconds === undefined ? {} : { ttlSeconds }),
      ),
    )
    count += batch.length
    batch = []
  }
  for await (const item of items) {
    if (isInternal(item.key)) continue
    batch.push(item)
    if (batch.length >= atOnce) await flush()
  }
  await flush()
  // Whoever has seen a revision of the old store must never take it for one of the new.
  await store.advance(revision)
  return count
}

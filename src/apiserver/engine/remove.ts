// The end of an object: taken out of the store, and what it had from shared pools given back.

import type { ApiObject } from '#api/meta.ts'
import type { Entry } from '#apiserver/cache/entry.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import type { Outcome, Writing } from '#apiserver/engine/write.ts'

/** Undefined: someone else wrote in between. `object` is what is answered as the last state. */
export async function removeNow(
  engine: Engine,
  writing: Writing,
  key: string,
  entry: Entry,
  object: ApiObject = entry.object,
): Promise<Outcome | undefined> {
  const { served, dryRun } = writing
  if (dryRun) return { object }
  const written = await served.store.delete(served.prefix + key, entry.revision)
  if (!written.done) return undefined
  await served.kind.admit?.deleted?.(object, engine.context('delete', writing))
  return { object }
}

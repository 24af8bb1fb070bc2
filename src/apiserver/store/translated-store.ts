// A store seen through another form of its objects: what is read is translated from the form that is stored, what is
// written into it.

import type { StoredForm } from '#apiserver/kind.ts'
import { valueOf } from '#apiserver/cache/entry.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Change, Store, Stored, Value, Written } from '#apiserver/store/store.ts'

export function translatedStore(store: Store, { toStored, fromStored }: StoredForm): Store {
  const objectOf = ({ object, text }: Value) => object ?? (JSON.parse(text) as ApiObject)
  const outside = (value: Value): Value => valueOf(fromStored(objectOf(value)))
  const inside = (value: Value): Value => valueOf(toStored(objectOf(value)))
  const shown = (stored: Stored): Stored => ({ ...stored, value: outside(stored.value) })
  const written = (answer: Written): Written =>
    answer.done || answer.current === undefined ? answer : { done: false, current: shown(answer.current) }
  const change = ({ value, previous, ...rest }: Change): Change => ({
    ...rest,
    value: value && outside(value),
    ...(previous && { previous: outside(previous) }),
  })
  return {
    get trouble() {
      return store.trouble
    },
    revision: () => store.revision(),
    async get(key) {
      const stored = await store.get(key)
      return stored && shown(stored)
    },
    async list(prefix, options) {
      const page = await store.list(prefix, options)
      return { ...page, items: page.items.map(shown) }
    },
    async *parts(prefix, options) {
      for await (const part of store.parts(prefix, options)) yield { ...part, items: part.items.map(shown) }
    },
    create: async (key, value, options) => written(await store.create(key, inside(value), options)),
    update: async (key, value, expected, options) => written(await store.update(key, inside(value), expected, options)),
    delete: async (key, expected) => written(await store.delete(key, expected)),
    watch: (prefix, sink, lost) => store.watch(prefix, (changes, through) => sink(changes.map(change), through), lost),
    changes: async (prefix, after, through) => (await store.changes(prefix, after, through)).map(change),
    compact: (revision) => store.compact(revision),
    compacted: () => store.compacted(),
    export: () => store.export(),
    advance: (revision) => store.advance(revision),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

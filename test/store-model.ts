// Random transactions on a store against the plainest model there is: every version of every key in one list. Knows nothing
// of how a store works, so that the same runs hold for each of them.
import * as assert from 'node:assert/strict'
import type { Change, Store, Written } from '#apiserver/store/store.ts'
import type { Random } from '#test/random.ts'

type Version = { readonly key: string; readonly revision: number; readonly text: string | undefined }

/** What the store should be, as a list of all writes after a first revision. */
export class Model {
  readonly first: number
  readonly log: Version[] = []
  compacted: number

  constructor(first: number) {
    this.first = first
    this.compacted = first
  }
  get revision(): number {
    return this.log.at(-1)?.revision ?? this.first
  }
  at(key: string, revision = this.revision): Version | undefined {
    return this.log.findLast((version) => version.key === key && version.revision <= revision)
  }
  /** of the last write of what stands there; 0: nothing */
  currentRevision(key: string, revision = this.revision): number {
    const last = this.at(key, revision)
    return last?.text === undefined ? 0 : last.revision
  }
  list(prefix: string, revision = this.revision): Version[] {
    const keys = [...new Set(this.log.map(({ key }) => key))].filter((key) => key.startsWith(prefix)).sort()
    return keys.map((key) => this.at(key, revision)).filter((found) => found?.text !== undefined) as Version[]
  }
}

export const keys = ['a/1', 'a/2', 'a/x/1', 'a/x-y/1', 'b/1', 'b/2']

type Write = { readonly key: string; readonly text: string | undefined; readonly expected: number }

function randomWrite(model: Model, random: Random): Write {
  const key = random.pick(keys)
  const right = model.currentRevision(key)
  const expected = random.integer(0, 4) === 0 ? random.integer(model.first, model.revision) : right
  const isDelete = expected !== 0 && random.integer(0, 2) === 0
  return { key, text: isDelete ? undefined : `{"n":${random.integer(0, 999)}}`, expected }
}

function send(store: Store, { key, text, expected }: Write): Promise<Written> {
  if (text === undefined) return store.delete(key, expected)
  return expected === 0 ? store.create(key, { text }) : store.update(key, { text }, expected)
}

/** Some writes at once. Those that are done stand in the order of their revisions; each of the others met a reason. */
export async function writeSome(store: Store, model: Model, random: Random): Promise<void> {
  const before = model.revision
  const writes = Array.from({ length: random.integer(1, 4) }, () => randomWrite(model, random))
  const answers = await Promise.all(writes.map((write) => send(store, write)))
  const answered = writes.map((write, index) => ({ write, answer: answers[index]! }))
  const done = answered.flatMap(({ write, answer }) => (answer.done ? [{ ...write, revision: answer.revision }] : []))
  for (const { key, text, expected, revision } of done.toSorted((a, b) => a.revision - b.revision)) {
    assert.equal(revision, model.revision + 1, 'no revision is left out')
    assert.equal(model.currentRevision(key), expected, `a write of ${key} that should have been refused`)
    model.log.push({ key, text, revision })
  }
  for (const { write, answer } of answered) {
    if (answer.done) continue
    const states = Array.from({ length: model.revision - before + 1 }, (_, n) => before + n)
    assert.ok(
      states.some((revision) => model.currentRevision(write.key, revision) !== write.expected),
      `a write of ${write.key} was refused without a reason`,
    )
    const { current } = answer
    assert.ok(
      states.some((revision) => model.currentRevision(write.key, revision) === (current?.revision ?? 0)),
      `${write.key} is said to be at ${current?.revision}`,
    )
  }
}

/** Reads of now and of the past, and the changes since any revision. */
export async function compareReads(store: Store, model: Model, random: Random): Promise<void> {
  assert.equal(await store.revision(), model.revision)
  const key = random.pick(keys)
  const [got, want] = [await store.get(key), model.at(key)]
  assert.deepEqual(got?.value.text, want?.text)
  if (want?.text !== undefined) assert.equal(got?.revision, want.revision)
  const revision = random.integer(model.compacted, model.revision)
  for (const prefix of ['a/', 'a/x/', 'b/', 'c/']) {
    const all = model.list(prefix, revision)
    const limit = random.integer(0, 3)
    const from = all[random.integer(0, all.length)]?.key ?? prefix
    const wanted = all.filter((version) => version.key >= from)
    const page = await store.list(prefix, { limit, from, revision })
    const shown = limit === 0 ? wanted : wanted.slice(0, limit)
    assert.deepEqual(
      page.items.map((item) => [item.key, item.revision, item.value.text]),
      shown.map((version) => [version.key, version.revision, version.text]),
    )
    assert.equal(page.revision, revision)
    const parts = await Array.fromAsync(store.parts(prefix, { from, revision, size: random.integer(1, 4) }))
    assert.deepEqual(
      parts.flatMap(({ items }) => items.map((item) => [item.key, item.revision, item.value.text])),
      wanted.map((version) => [version.key, version.revision, version.text]),
    )
  }
  const changes = await store.changes('a/', revision, model.revision)
  assert.deepEqual(
    changes.map((change) => [change.key, change.revision, change.value?.text, change.previous?.text]),
    model.log
      .filter((version) => version.key.startsWith('a/') && version.revision > revision)
      .map(({ key, revision: at, text }) => [key, at, text, model.at(key, at - 1)?.text]),
  )
  await assert.rejects(store.list('a/', { revision: model.revision + 1 }), { code: 'future' })
  if (model.compacted === model.first) return
  const forgotten = { code: 'compacted' }
  await assert.rejects(store.list('a/', { revision: model.compacted - 1 }), forgotten)
  if (model.compacted - 1 > model.first)
    await assert.rejects(store.changes('a/', model.compacted - 2, model.revision), forgotten)
}

/** Everything that was told of a prefix is what happened, in order, once. */
export function compareTold(told: readonly Change[], model: Model, prefix: string): void {
  assert.deepEqual(
    told.map(({ key, revision, value }) => [key, revision, value?.text]),
    model.log.filter(({ key }) => key.startsWith(prefix)).map(({ key, revision, text }) => [key, revision, text]),
  )
}

/** `reopen`: another handle on the same store, after this one was closed. */
export async function randomRun(open: () => Promise<Store>, random: Random, steps: number): Promise<void> {
  let store = await open()
  const model = new Model(await store.revision())
  const told: Change[] = []
  const follow = () => store.watch('a/', (changes) => told.push(...changes))
  await follow()
  for (let step = 0; step < steps; step++) {
    const action = random.integer(0, 19)
    if (action < 14) await writeSome(store, model, random)
    else if (action < 16) {
      const target = random.integer(model.compacted, model.revision)
      await store.compact(target)
      model.compacted = Math.max(model.compacted, target)
    } else if (action < 17) {
      await store[Symbol.asyncDispose]()
      store = await open()
      await follow()
    } else await compareReads(store, model, random)
  }
  await compareReads(store, model, random)
  compareTold(told, model, 'a/')
  await store[Symbol.asyncDispose]()
}

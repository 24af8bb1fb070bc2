// What happens to a store when its process or its disk fails.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import { fakeClock, systemClock } from '#daemon/clock.ts'
import type { Store } from '#apiserver/store/store.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-store-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes without end and prints each key once it is acknowledged. */
const writer = `
  import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
  import { systemClock } from '#daemon/clock.ts'
  const store = openSqliteStore({ path: process.argv[1], clock: systemClock })
  const one = async (worker) => {
    for (let n = 0; ; n++) {
      const key = 'k/' + process.pid + '-' + worker + '-' + n
      try {
        await store.create(key, { text: JSON.stringify({ key, pad: 'x'.repeat(500) }) })
      } catch (error) {
        return process.stdout.write('error ' + error.code + ': ' + error.message + '\\n', () => process.exit(3))
      }
      process.stdout.write(key + '\\n')
    }
  }
  for (let worker = 0; worker < 8; worker++) void one(worker)
`
const nodeArguments = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', writer]

test('kill -9 loses no acknowledged write', async (context) => {
  const path = join(folderOf(context), 'store.db')
  const acknowledged: string[] = []
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [...nodeArguments, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const before = acknowledged.length
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line)
      if (acknowledged.length === before + 500 + round * 137) child.kill('SIGKILL')
    }
  }
  await using store = openSqliteStore({ path, clock: systemClock })
  const stored = new Set((await store.list('k/')).items.map(({ key }) => key))
  assert.deepEqual(
    acknowledged.filter((key) => !stored.has(key)),
    [],
  )
  const revisions = (await store.changes('k/', 0, await store.revision())).map(({ revision }) => revision)
  assert.deepEqual(
    revisions,
    revisions.map((_, index) => index + 1),
  )
})

test('a crash between any two writes of the disk leaves what was there at some moment before', async (context) => {
  const folder = folderOf(context)
  const path = join(folder, 'store.db')
  const [copy, wal] = [join(folder, 'copy.db'), join(folder, 'wal')]
  /** what a list shows, by revision */
  const states = new Map<number, string>()
  const stateOf = async (store: Store) =>
    (await store.list('')).items.map(({ key, revision, value }) => `${key}@${revision}=${value.text}`).join()
  {
    await using store = openSqliteStore({ path, clock: fakeClock() })
    const random = seeded(7)
    const note = async () => states.set(await store.revision(), await stateOf(store))
    await note()
    for (let n = 0; n < 40; n++) {
      const key = `k/${random.integer(0, 9)}`
      const found = await store.get(key)
      const value = { text: JSON.stringify('x'.repeat(random.integer(0, 20_000))) }
      if (found === undefined) await store.create(key, value)
      else if (random.integer(0, 3) === 0) await store.delete(key, found.revision)
      else await store.update(key, value, found.revision)
      await note()
      if (n % 10 === 9) await store.compact((await store.revision()) - 5)
    }
    copyFileSync(path, join(folder, 'base'))
    copyFileSync(`${path}-wal`, wal)
  }
  const log = readFileSync(wal)
  // A header of 32 bytes, then frames of a head and a page: cut at, before and within each.
  const frame = 24 + 8192
  const cuts = [0, 16, 32]
  for (let end = 32 + frame; end <= log.length; end += frame) cuts.push(end - frame / 2, end - 1, end)
  let before = 0
  for (const cut of cuts) {
    copyFileSync(join(folder, 'base'), copy)
    writeFileSync(`${copy}-wal`, log.subarray(0, cut))
    await using store = openSqliteStore({ path: copy, clock: fakeClock() })
    const revision = await store.revision()
    assert.equal(await stateOf(store), states.get(revision), `cut at ${cut}, revision ${revision}`)
    assert.ok(revision >= before, `cut at ${cut}: what was on the disk is there`)
    before = revision
  }
  assert.equal(before, Math.max(...states.keys()))
})

test('a damaged file, or one that is no store, is refused with a reason', async (context) => {
  const folder = folderOf(context)
  const text = join(folder, 'text')
  writeFileSync(text, 'this is no database, only a text that is long enough to have a header'.repeat(20))
  assert.throws(() => openSqliteStore({ path: text, clock: fakeClock() }), { code: 'corrupt', message: /is no store/ })

  const missing = join(folder, 'no-such-folder', 'store.db')
  assert.throws(() => openSqliteStore({ path: missing, clock: fakeClock() }), { code: 'unreadable', message: /folder/ })

  const damaged = join(folder, 'store.db')
  {
    await using store = openSqliteStore({ path: damaged, clock: fakeClock() })
    await Promise.all(
      Array.from({ length: 300 }, (_, n) => store.create(`k/${n}`, { text: JSON.stringify('x'.repeat(900)) })),
    )
  }
  const size = readFileSync(damaged).length
  truncateSync(damaged, size - 3 * 8192)
  const file = openSync(damaged, 'r+')
  writeSync(file, new Uint8Array(size / 2).fill(0x5a), 0, undefined, 8192)
  const read = async () => {
    await using store = openSqliteStore({ path: damaged, clock: fakeClock() })
    await store.list('k/')
  }
  await assert.rejects(read(), { name: 'StoreError', code: 'corrupt', message: /damaged: restore it from a backup/ })
})

test(
  'a full disk refuses writes with a reason, and keeps what was acknowledged',
  { skip: need({ root: true, programs: ['unshare', 'mount'] }) },
  (context) => {
    const folder = folderOf(context)
    const check = `
      import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
      import { systemClock } from '#daemon/clock.ts'
      const store = openSqliteStore({ path: process.argv[1], clock: systemClock })
      const lines = (await store.list('k/')).items.map(({ key }) => 'stored ' + key + '\\n')
      process.stdout.write(lines.join(''), () => process.exit(0))
    `
    const inside = `
      mount -t tmpfs -o size=2m tmpfs "$FOLDER" || exit 1
      "$NODE" --disable-warning=ExperimentalWarning --input-type=module -e "$WRITER" "$FOLDER/store.db"
      "$NODE" --disable-warning=ExperimentalWarning --input-type=module -e "$CHECK" "$FOLDER/store.db"`
    const env = { ...process.env, NODE: process.execPath, WRITER: writer, CHECK: check, FOLDER: folder }
    const { stdout } = spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', inside], {
      env,
      encoding: 'utf8',
    })
    const lines = stdout.split('\n')
    const acknowledged = lines.filter((line) => line.startsWith('k/'))
    const stored = new Set(lines.filter((line) => line.startsWith('stored ')).map((line) => line.slice(7)))
    assert.match(stdout, /^error full: .*the disk is full: free some space$/m)
    assert.ok(acknowledged.length > 100)
    assert.deepEqual(
      acknowledged.filter((key) => !stored.has(key)),
      [],
    )
  },
)

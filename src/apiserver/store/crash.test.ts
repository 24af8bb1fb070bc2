// What happens to a store when its process or its disk fails.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import { fakeClock, systemClock } from '#daemon/clock.ts'
import { need } from '#test/need.ts'

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
        process.stdout.write('error ' + error.code + ': ' + error.message + '\\n')
        process.exit(3)
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

// Backups and copies by the command itself, of both stores, and of a server that runs.
import * as assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openEtcdStore } from '#apiserver/store/etcd-store.ts'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import type { Store } from '#apiserver/store/store.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'

const skip = need({ programs: ['etcd'] })
let folder: string
let etcd: EtcdCluster
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairway-backup-'))
  if (skip === false) etcd = await EtcdCluster.start()
})
after(async () => {
  rmSync(folder, { recursive: true })
  await etcd?.[Symbol.asyncDispose]()
})

const at = (name: string) => join(folder, name)
const file = (name: string) => openSqliteStore({ path: at(name), clock: systemClock })
const onEtcd = (prefix: string) =>
  openEtcdStore({ servers: etcd.urls, prefix, clock: systemClock, log: silentLog, pageSize: 50 })

/** Runs it; a failure is an error with what it said. */
function store(...words: readonly string[]): string {
  const { status, stdout, stderr } = fairway(['store', ...words])
  if (status !== 0) throw new Error(`${status}: ${stderr}`)
  return stdout
}

async function fill(target: Store): Promise<void> {
  const random = seeded(3)
  await target.create('~peers/6443/a', { text: '{}' })
  for (let n = 0; n < 120; n++) {
    const value = {
      text: JSON.stringify({ kind: 'X', metadata: { name: `ü"${n}` }, n: random.next(), a: [null, 1e21] }),
    }
    await target.create(`x/${n}`, value, n % 10 === 0 ? { ttlSeconds: 5000 } : {})
  }
  for (let n = 0; n < 20; n++) await target.delete(`x/${n}`, (await target.get(`x/${n}`))!.revision)
}

/** What is in it, with times in hours. */
const contents = async (source: Store) =>
  (await Array.fromAsync(source.export()))
    .filter(({ key }) => !key.startsWith('~'))
    .map(({ key, text, ttlSeconds }) => [key, text, ttlSeconds && Math.round(ttlSeconds / 3600)])

test('a backup of either store is the same, and restored into either it is the same again', { skip }, async () => {
  let [wanted, revision] = [[] as unknown[], 0]
  {
    await using source = file('source.db')
    await fill(source)
    wanted = await contents(source)
    revision = await source.revision()
  }
  assert.match(store('backup', at('b1'), '--data-file', at('source.db')), /100 keys as of revision \d+/)
  store('restore', at('b1'), '--data-file', at('restored.db'))
  store('restore', at('b1'), '--etcd-servers', etcd.urls[0]!, '--etcd-prefix', '/restored')
  store('copy', 'etcd', '--data-file', at('copied.db'), '--etcd-servers', etcd.urls[0]!, '--etcd-prefix', '/restored')
  store('copy', 'file', '--data-file', at('copied.db'), '--etcd-servers', etcd.urls[0]!, '--etcd-prefix', '/copied')
  for (const open of [
    () => file('restored.db'),
    () => onEtcd('/restored'),
    () => file('copied.db'),
    () => onEtcd('/copied'),
  ]) {
    await using target = await open()
    assert.deepEqual(await contents(target), wanted)
    // Nobody can take an old revision for a new one.
    assert.ok((await target.revision()) >= revision)
    await assert.rejects(target.changes('', revision - 5, await target.revision()), { code: 'compacted' })
    assert.equal((await target.create('y', { text: '{}' })).done, true)
    assert.equal(await target.get('~peers/6443/a'), undefined)
  }
})

test('nothing is lost by a backup that is none, and none goes over what is there', async () => {
  {
    await using source = file('whole.db')
    await fill(source)
  }
  store('backup', at('whole'), '--data-file', at('whole.db'))
  const whole = readFileSync(at('whole'), 'utf8')
  const lines = whole.split('\n')
  for (const [text, message] of [
    ['', /this is no backup/],
    ['hello\n', /this is no backup/],
    [whole.slice(0, -30), /damaged or cut off/],
    [lines.slice(0, 50).join('\n'), /cut off after line 50/],
    [lines.toSpliced(7, 1).join('\n'), /has 99 keys, and says that it had 100/],
    [whole.replace('"kind":"X"', '"kind":"Y"'), /its checksum is wrong/],
    [`${whole}{"key":"x","value":1}\n`, /something after the end/],
    [whole.replace('"fairwayBackup":1', '"fairwayBackup":9'), /format 9/],
  ] as const) {
    writeFileSync(at('bad'), text)
    assert.throws(() => store('restore', at('bad'), '--data-file', at('never.db')), message)
    assert.ok(!existsSync(at('never.db')), 'no store was begun')
  }
  assert.throws(() => store('restore', at('whole'), '--data-file', at('whole.db')), /the store is not empty/)
  assert.throws(() => store('backup', at('b'), '--data-file', at('nowhere.db')), /there is no file/)
  assert.ok(!existsSync(at('nowhere.db')) && !existsSync(at('b.part')))
  assert.throws(() => store('copy', 'there', '--data-file', 'x'), /from "file" or from "etcd"/)
})

test('of a server while it runs, by its administrator', async () => {
  const words = ['apiserver', '--bind-address', '127.0.0.1', '--secure-port', '0', '--data-file', at('live/store.db')]
  const server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    await new Promise<void>((resolve) =>
      server.stderr.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('ready on port')) resolve()
      }),
    )
    const kubeconfig = at('live/kubeconfig')
    assert.throws(
      () => store('backup', at('locked'), '--data-file', at('live/store.db')),
      /another process has the store/,
    )
    assert.match(store('backup', at('live.backup'), '--kubeconfig', kubeconfig), /\d\d keys as of revision/)
    store('restore', at('live.backup'), '--data-file', at('again.db'))
    await using again = file('again.db')
    assert.ok((await again.get('core/namespaces/kube-system')) !== undefined)
  } finally {
    server.kill('SIGKILL')
  }
})

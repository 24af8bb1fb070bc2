// What a store on etcd does when members die, fall silent, run full, or forget what was not read yet.
import * as assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ResourceCache, type CacheEvent } from '#apiserver/cache/resource-cache.ts'
import { openEtcdStore, type EtcdStoreOptions } from '#apiserver/store/etcd-store.ts'
import type { Store } from '#apiserver/store/store.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { need } from '#test/need.ts'

const skip = need({ programs: ['etcd'] })
const open = (servers: readonly string[], more: Partial<EtcdStoreOptions> = {}) =>
  openEtcdStore({ servers, prefix: '/t', clock: systemClock, log: silentLog, ...more })

const text = (name: string) => JSON.stringify({ metadata: { name } })

/** Writes until it is stopped; what it was told was done stands in `acknowledged`. */
function load(store: Store, workers: number) {
  const acknowledged: string[] = []
  const failures: string[] = []
  const over = new AbortController()
  const one = async (worker: number) => {
    for (let n = 0; !over.signal.aborted; n++) {
      const key = `k/${worker}-${n}`
      try {
        const written = await store.create(key, { text: text(key) })
        if (written.done) acknowledged.push(key)
        else failures.push(`${key} was there already`)
      } catch (error) {
        failures.push(String(error))
      }
    }
  }
  const running = Promise.all(Array.from({ length: workers }, (_, worker) => one(worker)))
  return {
    acknowledged,
    failures,
    async more(count: number) {
      const target = acknowledged.length + count
      while (acknowledged.length < target) await sleep(5)
    },
    stop() {
      over.abort()
      return running
    },
  }
}

test('members die and fall silent, writes go on, none is lost and none done twice', { skip }, async () => {
  await using cluster = await EtcdCluster.start(3)
  await using store = await open(cluster.urls)
  const told: string[] = []
  await store.watch('k/', (changes) => told.push(...changes.map(({ key }) => key)))
  const writing = load(store, 8)
  await writing.more(100)
  for (const member of [0, 1, 2]) {
    await cluster.signal(member, 'SIGKILL')
    await writing.more(100)
    cluster.startMember(member)
    await writing.more(100)
  }
  await cluster.signal(1, 'SIGSTOP')
  await writing.more(100)
  await cluster.signal(1, 'SIGCONT')
  await writing.more(100)
  await writing.stop()
  assert.deepEqual(writing.failures, [])
  const stored = (await store.list('k/')).items.map(({ key }) => key)
  assert.deepEqual(stored, writing.acknowledged.toSorted())
  assert.deepEqual(told.toSorted(), stored, 'each write is told once')
})

test('kill -9 of a server loses no acknowledged write', { skip }, async () => {
  await using cluster = await EtcdCluster.start()
  const program = `
    import { openEtcdStore } from '#apiserver/store/etcd-store.ts'
    import { systemClock } from '#daemon/clock.ts'
    import { silentLog } from '#daemon/log.ts'
    const store = await openEtcdStore({ servers: [process.argv[1]], prefix: '/t', clock: systemClock, log: silentLog })
    const one = async (worker) => {
      for (let n = 0; ; n++) {
        const key = 'k/' + process.pid + '-' + worker + '-' + n
        await store.create(key, { text: '{}' })
        process.stdout.write(key + '\\n')
      }
    }
    for (let worker = 0; worker < 8; worker++) void one(worker)
  `
  const acknowledged: string[] = []
  for (let round = 0; round < 2; round++) {
    const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program, cluster.urls[0]!]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    const before = acknowledged.length
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line)
      if (acknowledged.length === before + 300) child.kill('SIGKILL')
    }
  }
  await using store = await open(cluster.urls)
  const stored = new Set((await store.list('k/')).items.map(({ key }) => key))
  assert.deepEqual(
    acknowledged.filter((key) => !stored.has(key)),
    [],
  )
})

test('a full database refuses writes with a reason, and keeps what was acknowledged', { skip }, async () => {
  await using cluster = await EtcdCluster.start(1, { words: ['--quota-backend-bytes=1000000'] })
  await using store = await open(cluster.urls)
  const acknowledged: string[] = []
  const fill = async () => {
    for (let n = 0; n < 1000; n++) {
      const key = `k/${1000 + n}`
      await store.create(key, { text: JSON.stringify('x'.repeat(20_000)) })
      acknowledged.push(key)
    }
  }
  await assert.rejects(fill(), { name: 'StoreError', code: 'full', message: /compact and defragment/ })
  assert.match(store.trouble ?? '', /database is full/)
  assert.ok(acknowledged.length > 10)
  const written = (await store.list('k/')).items.map(({ key }) => key)
  assert.deepEqual(written.slice(0, acknowledged.length), acknowledged)
  // etcd writes the one that reaches the limit, and refuses it all the same.
  assert.ok(written.length <= acknowledged.length + 1)
})

test('with certificates, and without the right ones', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-etcd-tls-'))
  try {
    const authority = createAuthority({ commonName: 'etcd' })
    const server = issueCertificate(authority, { commonName: 'etcd', usages: ['server', 'client'], ips: ['127.0.0.1'] })
    const client = issueCertificate(authority, { commonName: 'client', usages: ['client'] })
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    }
    const tls = { ca: file('ca', authority.cert), cert: file('cert', server.cert), key: file('key', server.key) }
    await using cluster = await EtcdCluster.start(1, { tls })
    {
      await using store = await open(cluster.urls, { tls: { ca: readFileSync(tls.ca, 'utf8'), ...client } })
      assert.equal((await store.create('a', { text: '{}' })).done, true)
    }
    for (const wrong of [{ ca: authority.cert }, { ca: createAuthority({ commonName: 'other' }).cert, ...client }])
      await assert.rejects(open(cluster.urls, { tls: wrong, patienceMs: 100 }), { name: 'StoreError', code: 'failed' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('where nobody listens it says so', { skip }, async () => {
  const failed = { name: 'StoreError', code: 'failed', message: /http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/ }
  await assert.rejects(open(['http://127.0.0.1:9'], { patienceMs: 100 }), failed)
})

/** A way to etcd that can be cut. */
async function cuttable(url: string) {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((socket) => {
    if (isCut) return void socket.destroy()
    const other = connect(Number(target.port), target.hostname)
    for (const one of [socket, other]) {
      sockets.add(one)
      one.on('error', () => undefined).on('close', () => [socket, other].map((each) => each.destroy()))
    }
    return void socket.pipe(other).pipe(socket)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
    mend: () => (isCut = false),
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

test('a cache that could not follow for longer than the history lasts tells what is different', { skip }, async () => {
  await using cluster = await EtcdCluster.start()
  const way = await cuttable(cluster.urls[0]!)
  {
    await using other = await open(cluster.urls)
    await using store = await open([way.url])
    const named = (name: string, n: number) => ({ text: JSON.stringify({ metadata: { name }, n }) })
    const revisionOf = async (name: string) => (await other.get(`c/${name}`))!.revision
    for (const name of ['changed', 'gone', 'kept']) await other.create(`c/${name}`, named(name, 1))
    const cache = new ResourceCache(store, 'c/')
    const events: CacheEvent[] = []
    await cache.subscribe(await cache.fresh(), (seen) => events.push(...seen))
    way.cut()
    await other.update('c/changed', named('changed', 2), await revisionOf('changed'))
    await other.update('c/changed', named('changed', 3), await revisionOf('changed'))
    await other.delete('c/gone', await revisionOf('gone'))
    await other.create('c/new', named('new', 1))
    await other.compact(await other.revision())
    way.mend()
    while (events.length < 3) await sleep(10)
    assert.deepEqual(events.map(({ kind, entry }) => `${kind} ${entry.key}`).toSorted(), [
      'added new',
      'deleted gone',
      'modified changed',
    ])
    await other.create('c/later', named('later', 1))
    while (cache.get('later') === undefined) await sleep(10)
    assert.deepEqual(
      [...cache.range()].map(({ key }) => key),
      ['changed', 'kept', 'later', 'new'],
    )
    assert.equal(cache.get('changed')?.revision, await revisionOf('changed'))
  }
  await way.close()
})

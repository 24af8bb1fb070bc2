import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { configMaps, pods } from '#api/core.ts'
import { ApiError, type Client, connect } from '#client/client.ts'
import { type ServedApi, serveApi } from '#test/served-api.ts'

let api: ServedApi
before(async () => {
  api = await serveApi()
})
after(() => api[Symbol.asyncDispose]())

const as = (name: string, ...groups: string[]): Client =>
  connect({ server: 'https://192.0.2.1', dial: () => api.dial({ name, groups }) })

test('who dials from within has the rights of its name, and no more', async () => {
  assert.deepEqual((await as('system:kube-scheduler').list(pods)).items, [])
  await assert.rejects(
    as('system:kube-scheduler').list(configMaps),
    (error) =>
      error instanceof ApiError && error.httpStatus === 403 && /User "system:kube-scheduler"/.test(error.message),
  )
})

test('writes, large answers and watches go as by the network', async () => {
  const admin = as('admin', 'system:masters')
  const stop = new AbortController()
  const seen: string[] = []
  const watching = (async () => {
    for await (const { object } of admin.watch(configMaps, { namespace: 'default', signal: stop.signal })) {
      seen.push(object.metadata!.name!)
      if (seen.length === 20) return
    }
  })()
  const data = { text: 'x'.repeat(50_000) }
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      admin.create(configMaps, { metadata: { name: `c-${i}`, namespace: 'default' }, data }),
    ),
  )
  await watching
  assert.equal(new Set(seen).size, 20)
  const { items } = await admin.list(configMaps, { namespace: 'default' })
  assert.equal(items.filter((item) => item.data?.['text']?.length === 50_000).length, 20)
})

test('a watch that is left is ended at the server too', async () => {
  const admin = as('admin', 'system:masters')
  const open = async () =>
    /^apiserver_longrunning_requests\{.*resource="configmaps".*\} (\d+)$/m.exec(
      (await api.ask('/metrics', api.admin)).body,
    )?.[1] ?? '0'
  const stop = new AbortController()
  const watching = (async () => {
    for await (const _ of admin.watch(configMaps, { namespace: 'default', signal: stop.signal })) stop.abort()
  })()
  await watching
  const end = performance.now() + 30_000
  while ((await open()) !== '0' && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(await open(), '0')
})

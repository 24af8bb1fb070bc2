import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserError } from '#daemon/error.ts'
import { serveHealth } from '#daemon/health.ts'
import { createRegistry } from '#daemon/metrics.ts'

test('health: endpoints, checks and metrics', async () => {
  const controller = new AbortController()
  let reason: string | undefined = 'not synced'
  const { port } = await serveHealth({
    address: '127.0.0.1',
    port: 0,
    checks: { informers: () => reason, disk: () => undefined },
    notLive: ['informers'],
    registry: createRegistry(),
    signal: controller.signal,
    extra: { '/own': (_, response) => response.end('mine') },
  })
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return [response.status, await response.text()]
  }
  const failed = '[+]ping ok\n[-]informers failed: not synced\n[+]disk ok\n'
  assert.deepEqual(await get('/readyz'), [500, `${failed}readyz check failed\n`])
  assert.deepEqual(await get('/healthz'), [500, `${failed}healthz check failed\n`])
  assert.deepEqual(await get('/livez'), [200, 'ok'])
  assert.deepEqual(await get('/readyz/disk'), [200, 'ok'])
  assert.deepEqual(await get('/readyz/informers'), [500, 'not synced\n'])
  assert.deepEqual(await get('/readyz?exclude=informers'), [200, 'ok'])
  reason = undefined
  assert.deepEqual(await get('/readyz?verbose'), [
    200,
    '[+]ping ok\n[+]informers ok\n[+]disk ok\nreadyz check passed\n',
  ])
  assert.deepEqual(await get('/own'), [200, 'mine'])
  assert.equal((await get('/nothing'))[0], 404)
  assert.equal((await get('/readyz/nothing'))[0], 404)
  assert.match(String((await get('/metrics'))[1]), /^process_cpu_seconds_total \d/m)

  const options = { address: '127.0.0.1', port, checks: {}, registry: createRegistry(), signal: controller.signal }
  await assert.rejects(serveHealth(options), (error: UserError) => {
    assert.equal(error.message, `cannot listen on 127.0.0.1:${port}: another program listens there`)
    return error.code === 'EADDRINUSE'
  })
  controller.abort()
  await assert.rejects(get('/livez'))
})

// The server as a whole, on loopback, against an API server with faults.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Resolver } from 'node:dns/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from '#client/client.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#dns/main.ts'
import { endpointSlices } from '#api/discovery.ts'
import { namespaces, services } from '#api/core.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'

const address = '127.0.0.1'

function corefile(context: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-dns-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'Corefile')
  writeFileSync(file, text)
  return file
}

const partContext = (signal: AbortSignal) => ({
  signal,
  log: silentLog,
  clock: systemClock,
  registry: createRegistry(),
})

async function eventually<T>(look: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  const end = performance.now() + 30_000
  for (;;) {
    const value = await look().catch((error: Error) => error as T)
    if (good(value)) return value
    if (performance.now() > end) assert.fail(`not within 30 s: ${String(value)}`)
    await systemClock.sleep(10)
  }
}

for (const threads of [0, 1])
  test(`dns: a whole server with ${threads} threads: names, health, readiness, metrics, the API server gone`, async (context) => {
    await using server = await FakeKubernetes.start()
    const client = connect({ server: server.url })
    await client.create(namespaces, { metadata: { name: 'default' } })
    const service = (name: string, clusterIP: string) => ({
      metadata: { name, namespace: 'default' },
      spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80 }] },
    })
    await client.create(services, service('web', '10.96.0.7'))
    const port = 5301 + threads
    const file = corefile(
      context,
      `.:${port} {
        health ${address}:${18_080 + threads} {
          lameduck 10ms
        }
        ready ${address}:${18_181 + threads}
        prometheus ${address}:${19_153 + threads}
        kubernetes cluster.local {
          ttl 30
        }
      }`,
    )
    const ended = new AbortController()
    const running = run({ corefile: file, client: () => client, address, threads }, partContext(ended.signal))
    const page = async (at: number, path: string) => {
      const response = await fetch(`http://${address}:${at}${path}`)
      return `${response.status} ${await response.text()}`
    }
    await eventually(
      () => page(18_181 + threads, '/ready'),
      (text) => text === '200 OK',
    )
    for (const path of ['/health', '/healthz']) assert.equal(await page(18_080 + threads, path), '200 OK')
    assert.equal(await page(18_181 + threads, '/readyz'), '200 OK')
    const resolver = new Resolver()
    resolver.setServers([`${address}:${port}`])
    const lookUp = (name: string) => resolver.resolve4(`${name}.default.svc.cluster.local`)
    assert.deepEqual(await lookUp('web'), ['10.96.0.7'])
    await assert.rejects(lookUp('late'), { code: 'ENOTFOUND' })
    await client.create(services, service('late', '10.96.0.8'))
    await eventually(
      () => lookUp('late'),
      (found) => Array.isArray(found) && found[0] === '10.96.0.8',
    )
    await client.create(endpointSlices, {
      metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [{ addresses: ['10.244.0.5'], hostname: 'one' }],
    })
    await eventually(
      () => lookUp('one.web'),
      (found) => Array.isArray(found) && found[0] === '10.244.0.5',
    )
    const metrics = await page(19_153 + threads, '/metrics')
    assert.match(metrics, /coredns_dns_responses_total\{[^}]*rcode="NOERROR"[^}]*\} [1-9]/)
    await server[Symbol.asyncDispose]()
    assert.deepEqual(await lookUp('web'), ['10.96.0.7'])
    ended.abort()
    await running
    client.close()
  })

test('dns: a Corefile that is wrong is said with its line', async (context) => {
  const file = corefile(context, '.:5310 {\n  nonsense\n}\n')
  const client = () => connect({ server: 'http://127.0.0.1:1' })
  await assert.rejects(
    run({ corefile: file, client, address, threads: 0 }, partContext(new AbortController().signal)),
    /Corefile:2: unknown plugin "nonsense"/,
  )
})

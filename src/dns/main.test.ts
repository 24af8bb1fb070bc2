// The server as a whole, on loopback, against an API server with faults.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Resolver } from 'node:dns/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from '#client/client.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#dns/main.ts'
import { endpointSlices } from '#api/discovery.ts'
import { namespaces, services } from '#api/core.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'

const address = '127.0.0.1'

/** Ports that nobody listens on now. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, address)
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

function corefile(context: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-dns-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'Corefile')
  writeFileSync(file, text)
  return file
}

const lines: string[] = []
const partContext = (signal: AbortSignal) => ({
  signal,
  log: createLogger({ format: 'text', level: 0, write: (line) => void lines.push(line) }),
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

function lookUpAt(port: number, at = address): (name: string) => Promise<string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`${at}:${port}`])
  return (name) => resolver.resolve4(name)
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
    const [port, healthPort, readyPort, metricsPort] = (await freePorts(4)) as [number, number, number, number]
    const file = corefile(
      context,
      `.:${port} {
        health ${address}:${healthPort} {
          lameduck 500ms
        }
        ready ${address}:${readyPort}
        prometheus ${address}:${metricsPort}
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
      () => page(readyPort, '/ready'),
      (text) => text === '200 OK',
    )
    for (const path of ['/health', '/healthz']) assert.equal(await page(healthPort, path), '200 OK')
    assert.equal(await page(readyPort, '/readyz'), '200 OK')
    const ask = lookUpAt(port)
    const lookUp = (name: string) => ask(`${name}.default.svc.cluster.local`)
    assert.deepEqual(await lookUp('web'), ['10.96.0.7'])
    await assert.rejects(lookUp('late'), { code: 'ENOTFOUND' })
    await client.create(services, service('late', '10.96.0.8'))
    await eventually(
      () => lookUp('late'),
      (found) => Array.isArray(found) && found[0] === '10.96.0.8',
    )
    await client.create(endpointSlices, {
      metadata: {
        name: 'web-1',
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'web' },
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() },
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [{ addresses: ['10.244.0.5'], hostname: 'one' }],
    })
    await eventually(
      () => lookUp('one.web'),
      (found) => Array.isArray(found) && found[0] === '10.244.0.5',
    )
    const metrics = await page(metricsPort, '/metrics')
    const at = `server="dns://:${port}",zone=".",view=""`
    for (const line of [
      `coredns_dns_requests_total{${at},proto="udp",family="1",type="A"} `,
      `coredns_dns_responses_total{${at},rcode="NOERROR",plugin="kubernetes"} `,
      `coredns_dns_responses_total{${at},rcode="NXDOMAIN",plugin="kubernetes"} `,
      `coredns_plugin_enabled{${at},name="kubernetes"} 1`,
      'coredns_kubernetes_dns_programming_duration_seconds_count{service_kind="cluster_ip"} 1',
    ])
      assert.ok(metrics.includes(line), `${line}\n${metrics}`)
    const asked = server.requests.map((request) => request.replace(/^(\S+) ([^?]+).*$/, '$1 $2'))
    assert.deepEqual([...new Set(asked)].filter((request) => request.startsWith('GET')).toSorted(), [
      'GET /api/v1/namespaces',
      'GET /api/v1/services',
      'GET /apis/discovery.k8s.io/v1/endpointslices',
    ])
    await server[Symbol.asyncDispose]()
    assert.deepEqual(await lookUp('web'), ['10.96.0.7'])
    ended.abort()
    // While it is a lame duck it answers, and says that it is not ready.
    assert.deepEqual(await lookUp('web'), ['10.96.0.7'])
    assert.match(await page(readyPort, '/ready'), /^503/)
    await running
    client.close()
  })

for (const threads of [0, 1])
  test(`dns: with ${threads} threads each address answers by the blocks that listen there; metrics tell of cache and upstreams`, async (context) => {
    const [port, upstreamPort, deadPort, metricsPort] = (await freePorts(4)) as [number, number, number, number]
    const block = (zones: string, bind: string, more: string) =>
      `${zones.replaceAll(' ', `:${port} `)}:${port} {\n  bind ${bind}\n  prometheus ${address}:${metricsPort}\n${more}\n}\n`
    const hosts = (ip: string) => `  hosts {\n    ${ip} web.test\n  }\n`
    const file = corefile(
      context,
      block('test', '127.0.0.1', hosts('192.0.2.1')) +
        block('test', '127.0.0.2', hosts('192.0.2.2')) +
        block('cached.test', '127.0.0.1', `  forward . ${address}:${upstreamPort}\n  cache 60\n`) +
        block(
          'dead.test',
          '127.0.0.2',
          `  forward . ${address}:${deadPort} {\n    max_fails 1\n    health_check 50ms\n  }\n`,
        ),
    )
    const upstreamFile = corefile(
      context,
      `cached.test:${upstreamPort} {\n  hosts {\n    192.0.2.9 a.cached.test\n  }\n}\n`,
    )
    const ended = new AbortController()
    const client = () => assert.fail('no API server is needed')
    const start = (corefile: string, registry = createRegistry()) =>
      run({ corefile, client, address, threads }, { ...partContext(ended.signal), registry })
    const running = [start(file), start(upstreamFile)]
    const [first, second] = [lookUpAt(port), lookUpAt(port, '127.0.0.2')]
    await eventually(
      () => second('web.test'),
      (found) => Array.isArray(found),
    )
    assert.deepEqual([await first('web.test'), await second('web.test')], [['192.0.2.1'], ['192.0.2.2']])
    await eventually(
      () => first('a.cached.test'),
      (found) => Array.isArray(found),
    )
    for (let i = 0; i < 3; i++) assert.deepEqual(await first('a.cached.test'), ['192.0.2.9'])
    await assert.rejects(first('b.dead.test'), { code: 'ESERVFAIL' })
    await assert.rejects(second('a.cached.test'), { code: 'ESERVFAIL' })
    await assert.rejects(second('a.dead.test'), { code: 'ESERVFAIL' })
    const at = `server="dns://:${port}",zones="cached.test.",view=""`
    const wanted = [
      /^coredns_cache_hits_total\{server="[^"]+",type="success",zones="cached.test.",view=""\} [1-9]/m,
      new RegExp(`^coredns_cache_misses_total\\{${at}\\} [1-9]`, 'm'),
      /^coredns_cache_entries\{server="[^"]+",type="success",zones="cached.test.",view=""\} 1$/m,
      /^coredns_dns_responses_total\{[^}]*zone="cached.test.",view="",rcode="NOERROR",plugin="cache"\} [1-9]/m,
      /^coredns_dns_responses_total\{[^}]*zone="test.",view="",rcode="NOERROR",plugin="hosts"\} [1-9]/m,
      new RegExp(
        `^coredns_proxy_healthcheck_failures_total\\{proxy_name="forward",to="${address}:${deadPort}"\\} [1-9]`,
        'm',
      ),
    ]
    await eventually(
      async () => (await fetch(`http://${address}:${metricsPort}/metrics`)).text(),
      (text) => typeof text === 'string' && wanted.every((line) => line.test(text)),
    )
    await assert.rejects(second('b.dead.test'), { code: 'ESERVFAIL' })
    const text = await (await fetch(`http://${address}:${metricsPort}/metrics`)).text()
    assert.match(text, /^coredns_forward_healthcheck_broken_total [1-9]/m)
    ended.abort()
    await Promise.all(running)
  })

test('dns: a Corefile that is wrong is said with its line', async (context) => {
  const file = corefile(context, '.:53 {\n  nonsense\n}\n')
  const client = () => connect({ server: 'http://127.0.0.1:1' })
  await assert.rejects(
    run({ corefile: file, client, address, threads: 0 }, partContext(new AbortController().signal)),
    /Corefile:2: unknown plugin "nonsense"/,
  )
})

test('dns: a new Corefile is taken up without a lost query; one that cannot be used changes nothing', async (context) => {
  const [port, other, taken] = (await freePorts(3)) as [number, number, number]
  const text = (ports: readonly number[], ip: string) =>
    ports.map((at) => `.:${at} {\n  bind ${address}\n  reload 2s 0s\n  hosts {\n    ${ip} web.test\n  }\n}\n`).join('')
  const file = corefile(context, text([port], '192.0.2.1'))
  const ended = new AbortController()
  const client = () => assert.fail('no API server is needed')
  const running = run({ corefile: file, client, address, threads: 0 }, partContext(ended.signal))
  const lookUp = lookUpAt(port)
  await eventually(
    () => lookUp('web.test'),
    (found) => Array.isArray(found),
  )
  const blocker = createServer().listen(taken, address)
  await once(blocker, 'listening')
  lines.length = 0
  writeFileSync(file, text([port, taken], '192.0.2.66'))
  await eventually(
    async () => lines.join(''),
    (log) => /Corefile is not used: .*is taken by another process/.test(log),
  )
  blocker.close()
  assert.deepEqual(await lookUp('web.test'), ['192.0.2.1'])

  writeFileSync(file, text([port, other], '192.0.2.2'))
  const seen = new Set<string>()
  await eventually(
    async () => {
      const found = await lookUp('web.test').catch((error: Error) => assert.fail(`a query was lost: ${error.message}`))
      seen.add(found[0]!)
      return found[0]
    },
    (ip) => ip === '192.0.2.2',
  )
  assert.deepEqual([...seen], ['192.0.2.1', '192.0.2.2'])
  assert.deepEqual(await lookUpAt(other)('web.test'), ['192.0.2.2'])
  ended.abort()
  await running
})

test('dns: it answers SERVFAIL after startup_timeout where no API server is, and names once there is one', async (context) => {
  const [port] = (await freePorts(1)) as [number]
  await using server = await FakeKubernetes.start()
  const { url } = server
  await server.stop()
  const file = corefile(
    context,
    `.:${port} {\n  kubernetes cluster.local {\n    startup_timeout 50ms\n    namespaces shown\n  }\n}\n`,
  )
  const ended = new AbortController()
  const client = connect({ server: url })
  const running = run({ corefile: file, client: () => client, address, threads: 0 }, partContext(ended.signal))
  const lookUp = lookUpAt(port)
  const name = (namespace: string) => `web.${namespace}.svc.cluster.local`
  await eventually(
    () => lookUp(name('shown')),
    (found) => (found as { code?: string }).code === 'ESERVFAIL',
  )
  await server.listen(Number(new URL(url).port))
  for (const namespace of ['shown', 'hidden']) {
    await client.create(namespaces, { metadata: { name: namespace } })
    await client.create(services, { metadata: { name: 'web', namespace }, spec: { clusterIP: '10.96.0.9' } })
  }
  await eventually(
    () => lookUp(name('shown')),
    (found) => Array.isArray(found) && found[0] === '10.96.0.9',
  )
  await eventually(
    () => lookUp(name('hidden')),
    (found) => (found as { code?: string }).code === 'ENOTFOUND',
  )
  assert.ok(server.requests.some((request) => request.includes('/namespaces/shown/services')))
  ended.abort()
  await running
  client.close()
})

test('dns: the kubeconfig of the Corefile is used; different ones cannot be used together', async (context) => {
  const block = (zone: string, file: string) => `${zone}:53 {\n kubernetes {\n kubeconfig ${file} there\n }\n}\n`
  const start = (text: string, client: (kubeconfig: unknown) => never) =>
    run({ corefile: corefile(context, text), client, address, threads: 0 }, partContext(new AbortController().signal))
  let given: unknown
  const client = (kubeconfig: unknown): never => {
    given = kubeconfig
    throw new Error('enough')
  }
  await assert.rejects(start(block('a.test', '/x'), client), /enough/)
  assert.deepEqual(given, { file: '/x', context: 'there' })
  await assert.rejects(start(block('a.test', '/x') + block('b.test', '/y'), client), /different labels or kubeconfigs/)
})

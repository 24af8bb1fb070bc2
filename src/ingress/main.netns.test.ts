// The controller with a HAProxy and endpoints on loopback, from objects to answers.
import * as assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { fakeClient } from '#client/fake.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#ingress/main.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['haproxy', 'curl'] })
const client = fakeClient()
const folder = mkdtempSync(`${tmpdir()}/fairway-ingress-`)
const ended = new AbortController()
const pods: Server[] = []
let running: Promise<void>
const log: string[] = []

/** A pod that answers with its name. */
async function pod(name: string): Promise<number> {
  const server = createServer((request, response) => void response.end(`${name} ${request.url}`))
  pods.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function service(name: string, ports: readonly number[]): void {
  client.seed(services, { metadata: { name, namespace: 'default' }, spec: { ports: [{ name: 'http', port: 80 }] } })
  for (const [i, port] of ports.entries())
    client.seed(endpointSlices, {
      metadata: { name: `${name}-${i}`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port }],
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    })
}

const to = (name: string) => ({ service: { name, port: { number: 80 } } })
function ingress(name: string, host: string, path: string, service: string, annotations = {}): void {
  client.seed(ingresses, {
    metadata: { name, namespace: 'default', annotations },
    spec: { rules: [{ host, http: { paths: [{ path, pathType: 'Prefix', backend: to(service) }] } }] },
  })
}

before(async () => {
  if (skip !== false) return
  client.seed(ingressClasses, {
    metadata: { name: 'fairway', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'fairway/ingress' },
  })
  service('a', [await pod('a')])
  service('b', [await pod('b')])
  ingress('one', 'one.test', '/', 'a')
  const serving = Promise.withResolvers<void>()
  running = run(
    {
      client,
      folder,
      http: '127.0.0.1:8080',
      https: '127.0.0.1:8443',
      threads: 1,
      accessLog: false,
      leaderElect: false,
      leaseNamespace: 'kube-system',
      publishService: undefined,
      publishAddresses: [{ ip: '192.0.2.7' }],
      onServing: () => serving.resolve(),
    },
    {
      signal: ended.signal,
      clock: systemClock,
      log: createLogger({ format: 'text', level: 0, write: (line) => void log.push(line) }),
      registry: createRegistry(),
    },
  )
  await Promise.race([serving.promise, running])
})
after(async () => {
  ended.abort()
  await running
  for (const server of pods) server.close()
  rmSync(folder, { recursive: true })
})

/** Body and status. */
async function curl(host: string, path: string, ...words: readonly string[]): Promise<string> {
  const all = ['-sk', '-m', '5', '-w', ' %{http_code}', '-H', `Host: ${host}`, ...words, `http://127.0.0.1:8080${path}`]
  const { promise, resolve } = Promise.withResolvers<string>()
  execFile('curl', all, (_error, stdout) => resolve(stdout))
  return promise
}
async function until(holds: () => unknown): Promise<void> {
  for (const end = performance.now() + 30_000; ; await sleep(20))
    try {
      await holds()
      return
    } catch (error) {
      if (performance.now() > end) throw error
    }
}

test('a request goes to the endpoint of its route, and to none without one', { skip }, async () => {
  assert.equal(await curl('one.test', '/x?y=z'), 'a /x?y=z 200')
  assert.match(await curl('two.test', '/'), / 404$/)
})

test('the status names where it is reached', { skip }, async () => {
  await until(() => assert.deepEqual(client.all(ingresses)[0]?.status?.loadBalancer?.ingress, [{ ip: '192.0.2.7' }]))
})

test('an edit is served without another HAProxy', { skip }, async () => {
  const pid = readFileSync(`${folder}/pid`, 'utf8')
  ingress('two', 'two.test', '/', 'b')
  await until(async () => assert.equal(await curl('two.test', '/'), 'b / 200'))
  ingress('two', 'two.test', '/only', 'b')
  await until(async () => assert.match(await curl('two.test', '/'), / 404$/))
  assert.equal(await curl('two.test', '/only/this'), 'b /only/this 200')
  assert.equal(readFileSync(`${folder}/pid`, 'utf8'), pid)
})

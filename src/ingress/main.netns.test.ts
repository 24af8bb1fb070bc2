// The controller with a HAProxy and endpoints on loopback, from objects to answers.
import * as assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { stored } from '#api/stored.ts'
import { fakeClient } from '#client/fake.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#ingress/main.ts'
import { match } from '#ingress/match.ts'
import { plan } from '#ingress/plan.ts'
import { seeded } from '#test/random.ts'
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
      trustedProxies: [],
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

test('a dead endpoint: requests go to the one that lives', { skip }, async () => {
  const gone = createServer()
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
  const { port } = gone.address() as AddressInfo
  await new Promise((resolve) => gone.close(resolve))
  service('half', [await pod('alive'), port])
  ingress('half', 'half.test', '/', 'half')
  await until(async () => assert.equal(await curl('half.test', '/'), 'alive / 200'))
  for (let i = 0; i < 20; i++) assert.equal(await curl('half.test', '/'), 'alive / 200')
})

test('a WebSocket outlives edits, the end of its endpoint, and a reload for more Services', { skip }, async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())))
  service('ws', [(server.address() as AddressInfo).port])
  ingress('ws', 'ws.test', '/', 'ws')
  await until(async () => assert.match(await curl('ws.test', '/'), / 426$/))
  const socket = new WebSocket('ws://127.0.0.1:8080/', { headers: { Host: 'ws.test' } })
  await once(socket, 'open')
  const echo = async (text: string) => {
    const heard = once(socket, 'message')
    socket.send(text)
    assert.equal(String((await heard)[0]), text)
  }
  await echo('before')
  const pid = readFileSync(`${folder}/pid`, 'utf8')
  service('ws', [await pod('other')])
  await until(async () => assert.equal(await curl('ws.test', '/'), 'other / 200'))
  await echo('its endpoint has left')
  assert.equal(readFileSync(`${folder}/pid`, 'utf8'), pid)
  const many = Array.from({ length: 60 }, (_, i) => `many-${i}`)
  for (const name of many) {
    service(name, [1])
    ingress(name, `${name}.test`, '/', name)
  }
  await until(() => assert.notEqual(readFileSync(`${folder}/pid`, 'utf8'), pid))
  await until(async () => assert.equal(await curl('ws.test', '/'), 'other / 200'))
  await echo('another HAProxy serves')
  socket.close()
  server.close()
})

test('what HAProxy does with a path is what the table says', { skip }, async (t) => {
  const seed = process.env['SEED'] ?? String(Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(Number(seed))
  const pick = <T>(list: readonly T[]): T => random.pick(list)
  const parts = ['', 'a', 'A', 'b', 'ab', 'a;b', 'a%20b']
  const path = () => `/${Array.from({ length: random.integer(0, 3) }, () => pick(parts)).join('/')}`
  const hosts = ['h.test', '*.h.test', 'x.h.test', '']
  const rules = Array.from({ length: 40 }, () => ({
    host: pick(hosts),
    path: path(),
    pathType: pick(['Exact', 'Prefix']),
  }))
  client.seed(ingresses, {
    metadata: { name: 'random', namespace: 'default' },
    spec: {
      rules: rules.map(({ host, path, pathType }) => ({
        ...(host && { host }),
        http: { paths: [{ path, pathType, backend: to(pick(['a', 'b'])) }] },
      })),
    },
  })
  ingress('marker', 'marker.test', '/', 'a')
  await until(async () => assert.equal(await curl('marker.test', '/'), 'a / 200'))
  const { table } = plan({
    ingresses: () => client.all(ingresses).map((one) => stored(one)),
    ingress: (key) =>
      client
        .all(ingresses)
        .map((one) => stored(one))
        .find(({ metadata }) => `default/${metadata.name}` === key),
    classes: () => client.all(ingressClasses).map((one) => stored(one)),
    service: (key) =>
      client
        .all(services)
        .map((one) => stored(one))
        .find(({ metadata }) => `default/${metadata.name}` === key),
    slices: () => [],
    secret: () => undefined,
    addresses: () => [],
  })
  for (let i = 0; i < 60; i++) {
    const [host, asked] = [pick(['h.test', 'x.h.test', 'y.h.test', 'z.y.h.test', 'h.test:8080']), path()]
    const target = match(table, host, asked)
    const want = target === undefined ? 404 : `${target.backend!.split('/')[1]} ${asked} 200`
    const got = await curl(host, asked, '--path-as-is')
    assert.equal(want === 404 ? Number(got.slice(-3)) : got, want, `SEED=${seed} ${host}${asked}`)
  }
})

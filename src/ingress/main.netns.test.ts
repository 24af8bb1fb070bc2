// The controller with a HAProxy and endpoints on loopback, from objects to answers.
import * as assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { services } from '#api/core.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { stored } from '#api/stored.ts'
import { match } from '#ingress/match.ts'
import { plan } from '#ingress/plan.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { deadPort, RunningIngress } from '#test/running-ingress.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['haproxy', 'curl'] })
const running = new RunningIngress()
const { client } = running
const curl = (host: string, path: string, ...words: readonly string[]) => running.curl(host, path, ...words)

before(async () => {
  if (skip !== false) return
  running.service('a', [await running.pod('a')])
  running.service('b', [await running.pod('b')])
  running.ingress('one', 'one.test', '/', 'a')
  await running.start()
})
after(() => running.stop())

test('a request goes to the endpoint of its route, and to none without one', { skip }, async () => {
  assert.equal(await curl('one.test', '/x?y=z'), 'a /x?y=z 200')
  assert.match(await curl('two.test', '/'), / 404$/)
})

test('the status names where it is reached', { skip }, async () => {
  await until(() => assert.deepEqual(client.all(ingresses)[0]?.status?.loadBalancer?.ingress, [{ ip: '192.0.2.7' }]))
})

test('an edit is served without another HAProxy', { skip }, async () => {
  const pid = running.pid()
  running.ingress('two', 'two.test', '/', 'b')
  await until(async () => assert.equal(await curl('two.test', '/'), 'b / 200'))
  running.ingress('two', 'two.test', '/only', 'b')
  await until(async () => assert.match(await curl('two.test', '/'), / 404$/))
  assert.equal(await curl('two.test', '/only/this'), 'b /only/this 200')
  assert.equal(running.pid(), pid)
})

test('a dead endpoint: requests go to the one that lives', { skip }, async () => {
  running.service('half', [await running.pod('alive'), await deadPort()])
  running.ingress('half', 'half.test', '/', 'half')
  await until(async () => assert.equal(await curl('half.test', '/'), 'alive / 200'))
  for (let i = 0; i < 20; i++) assert.equal(await curl('half.test', '/'), 'alive / 200')
})

test('a WebSocket outlives edits, the end of its endpoint, and a reload for more Services', { skip }, async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())))
  running.service('ws', [(server.address() as AddressInfo).port])
  running.ingress('ws', 'ws.test', '/', 'ws')
  await until(async () => assert.match(await curl('ws.test', '/'), / 426$/))
  const socket = new WebSocket('ws://127.0.0.1:8080/', { headers: { Host: 'ws.test' } })
  await once(socket, 'open')
  const echo = async (text: string) => {
    const heard = once(socket, 'message')
    socket.send(text)
    assert.equal(String((await heard)[0]), text)
  }
  await echo('before')
  const pid = running.pid()
  running.service('ws', [await running.pod('other')])
  await until(async () => assert.equal(await curl('ws.test', '/'), 'other / 200'))
  await echo('its endpoint has left')
  assert.equal(running.pid(), pid)
  const many = Array.from({ length: 60 }, (_, i) => `many-${i}`)
  for (const name of many) {
    running.service(name, [1])
    running.ingress(name, `${name}.test`, '/', name)
  }
  await until(() => assert.notEqual(running.pid(), pid))
  await until(async () => assert.equal(await curl('ws.test', '/'), 'other / 200'))
  await echo('another HAProxy serves')
  socket.close()
  server.close()
})

test('edits of all kinds and a reload under load: not one request fails', { skip }, async () => {
  const [one, two] = [await running.pod('steady'), await running.pod('steady')]
  running.service('steady', [one])
  running.ingress('steady', 'steady.test', '/', 'steady')
  await until(async () => assert.equal(await curl('steady.test', '/'), 'steady / 200'))
  const enough = new AbortController()
  const answers = new Map<string, number>()
  const client = async (agent: Agent) => {
    while (!enough.signal.aborted) {
      const answer = await ask(agent, 'steady.test')
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  }
  const agent = new Agent({ keepAlive: true })
  const clients = Array.from({ length: 8 }, () => client(agent))
  const pid = running.pid()
  for (let i = 0; i < 80; i++) {
    const name = `edit-${i}`
    if (i % 3 === 0) running.service(name, [one])
    running.ingress('edited', 'edited.test', `/${i}`, i % 3 === 0 ? name : 'steady')
    running.endpoints('steady', [i % 2 === 0 ? two : one])
    // Other settings are another back end, and another HAProxy.
    if (i % 10 === 0)
      running.ingress('steady', 'steady.test', '/', 'steady', { 'ingress.fairway/read-timeout': `${10 + i}s` })
    await until(async () => assert.equal(await curl('edited.test', `/${i}`), `steady /${i} 200`))
    // More Services at once than there are spare back ends.
    if (i === 40)
      for (let more = 0; more < 200; more++) {
        running.service(`crowd-${more}`, [one])
        running.ingress(`crowd-${more}`, `crowd-${more}.test`, '/', `crowd-${more}`)
      }
  }
  assert.notEqual(running.pid(), pid)
  enough.abort()
  await Promise.all(clients)
  agent.destroy()
  assert.deepEqual([...answers.keys()], ['200 steady /'])
})

/** Status and body, or the error's code. */
function ask(agent: Agent, host: string): Promise<string> {
  return new Promise((resolve) => {
    get({ agent, host: '127.0.0.1', port: 8080, headers: { host } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve(`${answer.statusCode} ${text}`)).on('error', ({ message }) => resolve(message))
    }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

test('what HAProxy does with a path is what the table says', { skip }, async (t) => {
  const seed = process.env['SEED'] ?? String(Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(Number(seed))
  const pick = <T>(list: readonly T[]): T => random.pick(list)
  const parts = ['', 'a', 'A', 'b', 'ab', 'a;b', 'a%20b']
  const path = () => `/${Array.from({ length: random.integer(0, 3) }, () => pick(parts)).join('/')}`
  const hosts = ['h.test', '*.h.test', 'x.h.test', '']
  const patterns = ['/a(/|$)(.*)', '/[ab]+/b', '/(a|b)', '/a;b.*', '/(ab|b)/?$', '/']
  const rules = Array.from({ length: 40 }, () => ({
    host: pick(hosts),
    ...pick([
      { path: path(), pathType: pick(['Exact', 'Prefix']) },
      { path: path(), pathType: pick(['Exact', 'Prefix']) },
      { path: pick(patterns), pathType: 'ImplementationSpecific' },
    ]),
  }))
  client.seed(ingresses, {
    metadata: { name: 'random', namespace: 'default', annotations: { 'ingress.fairway/use-regex': 'true' } },
    spec: {
      rules: rules.map(({ host, path, pathType }) => ({
        ...(host && { host }),
        http: { paths: [{ path, pathType, backend: { service: { name: pick(['a', 'b']), port: { number: 80 } } } }] },
      })),
    },
  })
  running.ingress('marker', 'marker.test', '/', 'a')
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
    users: () => undefined,
    addresses: () => [],
  })
  for (let i = 0; i < 60; i++) {
    const [host, asked] = [pick(['h.test', 'x.h.test', 'y.h.test', 'z.y.h.test', 'h.test:8080', 'X.H.Test']), path()]
    const target = match(table, host, asked)
    const want = target === undefined ? 404 : `${target.backend!.split('/')[1]} ${asked} 200`
    const got = await curl(host, asked, '--path-as-is')
    assert.equal(want === 404 ? Number(got.slice(-3)) : got, want, `SEED=${seed} ${host}${asked}`)
  }
})

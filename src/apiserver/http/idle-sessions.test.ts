// Sessions of HTTP/2 that ask nothing, and those that never begin.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectH2, createSecureServer, type ClientHttp2Session, type Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { endIdleSessions, prefaceMs } from '#apiserver/http/idle-sessions.ts'
import { type FakeClock, fakeClock } from '#daemon/clock.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'
import { until } from '#test/until.ts'

const ca = createAuthority({ commonName: 'ca' })
const pair = issueCertificate(ca, { commonName: 'server', usages: ['server'], ips: ['127.0.0.1'] })
const idleMs = 60_000

type Served = {
  readonly clock: FakeClock
  readonly port: number
  /** sessions that the server has at the moment */
  readonly sessions: ReadonlySet<unknown>
  /** answers its requests when told */
  readonly answer: () => void
  open(): Promise<ClientHttp2Session>
}

async function serve(t: TestContext, mostIdle = 100): Promise<Served> {
  const clock = fakeClock(0)
  const server: Http2SecureServer = createSecureServer(pair)
  endIdleSessions(server, clock, { idleMs, mostIdle })
  const sessions = new Set<unknown>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('sessionError', () => {})
  const waiting: (() => void)[] = []
  server.on('request', (_request, response) => void waiting.push(() => response.end('done')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const clients: ClientHttp2Session[] = []
  t.after(() => {
    for (const client of clients) client.destroy()
    server.close()
  })
  return {
    clock,
    port,
    sessions,
    answer: () => waiting.splice(0).forEach((end) => end()),
    async open() {
      const client = connectH2(`https://127.0.0.1:${port}`, { ca: ca.cert })
      client.on('error', () => {})
      clients.push(client)
      await once(client, 'remoteSettings')
      return client
    },
  }
}

test('one that begins and does not say what it is goes after ten seconds', async (t) => {
  const { clock, port, sessions } = await serve(t)
  const socket = connectTls({ port, host: '127.0.0.1', ca: ca.cert, ALPNProtocols: ['h2'] })
  const closed = once(socket, 'close')
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'secureConnect')
  socket.write('PRI * HTTP/2.0\r\n')
  await until(() => assert.equal(sessions.size, 1))
  await clock.advance(prefaceMs - 1)
  assert.equal(sessions.size, 1)
  await clock.advance(1)
  await closed
  await until(() => assert.equal(sessions.size, 0))
  assert.equal(clock.waiting, 0)
})

test('one that asks nothing goes after a while, one that waits for an answer does not', async (t) => {
  const { clock, sessions, answer, open } = await serve(t)
  const [silent, busy] = [await open(), await open()]
  const told = once(silent, 'goaway')
  const stream = busy.request({ ':path': '/' })
  stream.setEncoding('utf8')
  stream.resume()
  await until(() => assert.equal(clock.waiting, 1))
  await clock.advance(idleMs)
  await told
  await until(() => assert.equal(sessions.size, 1))
  await clock.advance(10 * idleMs)
  assert.equal(sessions.size, 1, 'however long the answer takes')
  const ended = once(stream, 'end')
  answer()
  await ended
  await until(() => assert.equal(clock.waiting, 1))
  await clock.advance(idleMs - 1)
  assert.equal(sessions.size, 1)
  await clock.advance(1)
  await until(() => assert.equal(sessions.size, 0))
})

test('of many that ask nothing the one that did so first makes room', async (t) => {
  const { clock, sessions, open } = await serve(t, 3)
  const clients: ClientHttp2Session[] = []
  for (let n = 0; n < 3; n++) {
    clients.push(await open())
    await until(() => assert.equal(clock.waiting, n + 1))
  }
  assert.equal(sessions.size, 3)
  const gone = once(clients[0]!, 'close')
  await open()
  await gone
  await until(() => assert.equal(sessions.size, 3))
  assert.deepEqual(
    clients.map(({ closed }) => closed),
    [true, false, false],
  )
})

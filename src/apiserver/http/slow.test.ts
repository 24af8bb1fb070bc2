// Clients that begin a request and do not end it (slowloris): each is told, and cut, and others do not notice.
import * as assert from 'node:assert/strict'
import { connect as connectH2 } from 'node:http2'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { fakeClock } from '#daemon/clock.ts'
import { serveApi, type ServedApi } from '#test/served-api.ts'

const maps = '/api/v1/namespaces/default/configmaps'

/** Sends so much of a request, and collects what comes back until the end. */
async function begin(
  { port, ca, admin }: ServedApi,
  text: string,
): Promise<{ answer: Promise<string>; closed: Promise<void> }> {
  const socket = connect({ port, host: '127.0.0.1', ca: ca.cert, ...admin, ALPNProtocols: ['http/1.1'] })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  let got = ''
  socket.on('data', (data: Buffer) => (got += data.toString()))
  socket.on('error', () => {})
  const answer = new Promise<string>((resolve) => {
    const look = () => {
      if (got.includes('\r\n\r\n')) resolve(got)
    }
    socket.on('data', look)
    socket.on('close', () => resolve(got))
  })
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.write(text)
  return { answer, closed }
}

test('a body that does not come is waited for a minute', { timeout: 60_000 }, async () => {
  const clock = fakeClock(Date.now())
  await using api = await serveApi({ clock })
  const head = (name: string) =>
    `POST ${maps}?name=${name} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"metadata":`
  const slow = await Promise.all(Array.from({ length: 400 }, (_, n) => begin(api, head(`slow-${n}`))))
  // They wait for their own bodies only: nobody else does.
  assert.equal((await api.ask(maps, { ...api.admin, method: 'POST', body: '{"metadata":{"name":"quick"}}' })).code, 201)
  const waiting = clock.waiting
  assert.ok(waiting >= 400, `${waiting} are waited for`)
  await clock.advance(59_000)
  assert.equal(clock.waiting >= 400, true, 'not before the minute is over')
  await clock.advance(2000)
  const answers = await Promise.all(slow.map(({ answer }) => answer))
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 504 [^]*the body did not come in time/)
  await Promise.all(slow.map(({ closed }) => closed))
  assert.ok(clock.waiting < waiting - 390, 'nothing of them stays')
})

test('nor does one on HTTP/2, drop by drop', { timeout: 60_000 }, async () => {
  const clock = fakeClock(Date.now())
  await using api = await serveApi({ clock })
  const session = connectH2(`https://127.0.0.1:${api.port}`, { ca: api.ca.cert, ...api.admin })
  const stream = session.request({ ':path': maps, ':method': 'POST' })
  stream.write('{')
  stream.on('error', () => {})
  const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])))
  for (let n = 0; n < 7; n++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    stream.write(' ')
    await clock.advance(10_000)
  }
  assert.equal(await status, 504)
  session.destroy()
})

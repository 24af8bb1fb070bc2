// What becomes of requests on their way through HAProxy: protocols, annotations, what endpoints are told, retries, counts.
import * as assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { connect, createSecureServer, createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { ingresses } from '#api/networking.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'
import { need } from '#test/need.ts'
import { deadPort, RunningIngress } from '#test/running-ingress.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['haproxy', 'curl'] })
const running = new RunningIngress()
const { cert, key } = issueCertificate(createAuthority({ commonName: 'test' }), {
  commonName: 'pod',
  dnsNames: ['pod.test'],
  usages: ['server'],
})
const curl = (host: string, path: string, ...words: readonly string[]) => running.curl(host, path, ...words)
const answers = (host: string, want: string, ...words: readonly string[]) =>
  until(async () => assert.equal(await curl(host, '/', ...words), want))
/** Waits until a host is served. */
const served = (host: string) => until(async () => assert.doesNotMatch(await curl(host, '/'), / (404|503|000)$/))
const annotate = (name: string, value: string) => ({ [`ingress.fairway/${name}`]: value })

before(async () => {
  if (skip !== false) return
  running.service('echo', [await running.pod('echo')])
  await running.start({ trustedProxies: ['127.0.0.2/32', '198.51.100.0/24'] })
})
after(() => running.stop())

test('gRPC: HTTP/2 on both sides, messages both ways, a status in the trailers', { skip }, async () => {
  const server = createHttp2()
  server.on('stream', (stream: ServerHttp2Stream, { ':path': path }) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': String(path) }))
    stream.on('data', (part: Buffer) => stream.write(`heard ${String(part)}`))
    stream.on('end', () => stream.end())
  })
  const port = { name: 'grpc', port: 80, appProtocol: 'kubernetes.io/h2c' }
  running.service('grpc', [await running.listen(server)], port)
  running.ingress('grpc', 'grpc.test', '/', 'grpc')
  await served('grpc.test')
  const session = connect('http://127.0.0.1:8080')
  const call = session.request({
    ':method': 'POST',
    ':path': '/greet.Greeter/Chat',
    ':authority': 'grpc.test',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const [headers] = (await once(call, 'response')) as [Record<string, unknown>]
  assert.equal(headers[':status'], 200)
  const say = async (text: string) => {
    const heard = once(call, 'data')
    call.write(text)
    assert.equal(String((await heard)[0]), `heard ${text}`)
  }
  await say('one')
  await say('two')
  const trailers = once(call, 'trailers')
  call.end()
  const [ended] = (await trailers) as [Record<string, unknown>]
  assert.deepEqual([ended['grpc-status'], ended['grpc-message']], ['0', '/greet.Greeter/Chat'])
  session.destroy()
})

test('protocol: h2c, and https by HTTP/1.1 or HTTP/2', { skip }, async () => {
  type Asked = { readonly httpVersion: string }
  const say = ({ httpVersion }: Asked, response: { end(text: string): unknown }) => void response.end(httpVersion)
  for (const [name, server, protocol, want] of [
    ['h2c', createHttp2(say), 'h2c', '2.0'],
    ['older', createHttps({ cert, key }, say), 'https', '1.1'],
    ['newer', createSecureServer({ cert, key }, say), 'https', '2.0'],
  ] as const) {
    running.service(name, [await running.listen(server)])
    running.ingress(name, `${name}.test`, '/', name, annotate('protocol', protocol))
    await answers(`${name}.test`, `${want} 200`)
  }
})

test('read-timeout: who says nothing for longer is given up', { skip }, async () => {
  const slow = await running.pod('slow', (_request, response) => void setTimeout(() => response.end('slow'), 700))
  running.service('slow', [slow])
  running.ingress('slow', 'slow.test', '/', 'slow')
  running.ingress('hasty', 'hasty.test', '/', 'slow', annotate('read-timeout', '200ms'))
  await until(async () => assert.match(await curl('hasty.test', '/'), / 504$/))
  await answers('slow.test', 'slow 200')
})

test('tunnel-timeout: a WebSocket without a word for longer is ended', { skip }, async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  running.closeLater(server)
  running.service('ws', [(server.address() as { port: number }).port])
  running.ingress('ws', 'ws.test', '/', 'ws')
  running.ingress('brief', 'brief.test', '/', 'ws', annotate('tunnel-timeout', '300ms'))
  const open = async (host: string) => {
    await served(host)
    const socket = new WebSocket('ws://127.0.0.1:8080/', { headers: { Host: host } })
    await once(socket, 'open')
    return socket
  }
  const long = await open('ws.test')
  const brief = await open('brief.test')
  await once(brief, 'close')
  assert.equal(long.readyState, WebSocket.OPEN)
  long.terminate()
})

test('body-limit: 413 for more, 411 for who does not say how much', { skip }, async () => {
  running.ingress('limited', 'limited.test', '/', 'echo', annotate('body-limit', '1Ki'))
  await served('limited.test')
  const status = async (...words: string[]) => (await curl('limited.test', '/', ...words)).slice(-3)
  await until(async () => assert.equal(await status('-d', 'x'.repeat(1025)), '413'))
  assert.equal(await status('-d', 'x'.repeat(1024)), '200')
  assert.equal(await status('-H', 'Transfer-Encoding: chunked', '-d', 'x'), '411')
  assert.equal(await status(), '200')
  const session = connect('http://127.0.0.1:8080')
  const call = session.request({ ':method': 'POST', ':path': '/', ':authority': 'limited.test' })
  call.write('x')
  const [headers] = (await once(call, 'response')) as [Record<string, unknown>]
  assert.equal(headers[':status'], 411)
  session.destroy()
})

test('ssl-redirect: plain HTTP is sent to https, with path and query', { skip }, async () => {
  running.ingress('secure', 'secure.test', '/', 'echo', annotate('ssl-redirect', 'true'))
  running.ingress('both', 'both.test', '/', 'echo', annotate('ssl-redirect', 'false'))
  const where = ['-o', '/dev/null', '-w', '%{http_code} %{redirect_url}']
  await until(async () => assert.equal(await curl('secure.test', '/x?y=z', ...where), '308 https://secure.test/x?y=z'))
  const tls = ['--connect-to', '::127.0.0.1:8443']
  assert.equal(await running.curlAt('https://secure.test/', ...tls), 'echo / 200')
  await answers('both.test', 'echo / 200')
})

test('what endpoints are told of the client; what it says itself counts from trusted proxies', { skip }, async () => {
  const names = ['x-forwarded-for', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port']
  const told = await running.pod('told', ({ headers }, response) => {
    response.end(names.map((name) => headers[name]).join(' '))
  })
  running.service('told', [told])
  running.ingress('told', 'told.test', '/', 'told')
  await served('told.test')
  const chain = '6.6.6.6, 203.0.113.9, 198.51.100.7'
  const claims = ['X-Forwarded-Proto: https', 'X-Forwarded-Host: front.test', `X-Forwarded-For: ${chain}`]
  const claiming = claims.flatMap((claim) => ['-H', claim])
  const proxy = ['--interface', '127.0.0.2']
  const own = 'told.test http 8080 200'
  assert.equal(await curl('told.test', '/', ...claiming), `127.0.0.1 127.0.0.1 ${own}`)
  assert.equal(await curl('told.test', '/', ...proxy), `127.0.0.2 127.0.0.2 ${own}`)
  const believed = `${chain}, 127.0.0.2 203.0.113.9 front.test https 8080 200`
  assert.equal(await curl('told.test', '/', ...proxy, ...claiming), believed)
  // The connection is the proxy's; the client is another one with each request.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (client: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'told.test', 'x-forwarded-for': client }
      httpRequest({ agent, host: '127.0.0.1', port: 8080, localAddress: '127.0.0.2', headers }, (answer) => {
        answer.setEncoding('utf8').on('data', resolve)
      })
        .on('error', reject)
        .end()
    })
  for (const client of ['203.0.113.1', '203.0.113.2'])
    assert.equal(await ask(client), `${client}, 127.0.0.2 ${client} told.test http 8080`)
  agent.destroy()
})

test(
  'an endpoint that ends a request without an answer: only what changes nothing is sent again',
  { skip },
  async () => {
    const met = { GET: 0, POST: 0 }
    const rude = await running.pod('rude', ({ method, socket }) => {
      met[method as 'GET' | 'POST']++
      socket.destroy()
    })
    running.service('rude', [rude, await running.pod('kind')])
    running.ingress('rude', 'rude.test', '/', 'rude')
    await answers('rude.test', 'kind / 200')
    for (let i = 0; i < 10; i++) assert.equal(await curl('rude.test', '/'), 'kind / 200')
    assert.ok(met.GET > 0)
    const posts = await Promise.all(Array.from({ length: 10 }, () => curl('rude.test', '/', '-d', 'x')))
    assert.ok(met.POST > 0)
    assert.equal(posts.filter((text) => text === 'kind / 200').length, 10 - met.POST)
    assert.equal(posts.filter((text) => text.endsWith(' 502')).length, met.POST)
    // Where no connection came about nothing was sent.
    running.service('half', [await deadPort(), await running.pod('alive')])
    running.ingress('half', 'half.test', '/', 'half')
    await answers('half.test', 'alive / 200', '-d', 'x')
    for (let i = 0; i < 10; i++) assert.equal(await curl('half.test', '/', '-d', 'x'), 'alive / 200')
  },
)

test('an endpoint that leaves ends its request under way, and gets no other', { skip }, async () => {
  const held = Promise.withResolvers<void>()
  let count = 0
  const leaving = await running.pod('leaving', (_request, response) => {
    count++
    response.write('begun ')
    void held.promise.then(() => response.end('leaving'))
  })
  running.service('drain', [leaving])
  running.ingress('drain', 'drain.test', '/', 'drain')
  const underWay = answers('drain.test', 'begun leaving 200')
  await until(() => assert.ok(count > 0))
  running.endpoints('drain', [await running.pod('staying')])
  await answers('drain.test', 'staying / 200')
  const before = count
  for (let i = 0; i < 20; i++) assert.equal(await curl('drain.test', '/'), 'staying / 200')
  assert.equal(count, before)
  assert.ok(running.dataPlane.retiring > 0)
  held.resolve()
  await underWay
  await until(() => assert.equal(running.dataPlane.retiring, 0))
})

test('requests are counted by Service, also when its back end has become that of another', { skip }, async () => {
  const count = async (service: string) => {
    await running.dataPlane.countRequests()
    const labels = `namespace="default",service="${service}",port="80",code="2xx"`
    const line = running.registry
      .render()
      .split('\n')
      .find((text) => text.includes(labels))
    return Number(line?.split(' ')[1] ?? 0)
  }
  running.service('counted', [await running.pod('counted')])
  running.ingress('counted', 'counted.test', '/', 'counted')
  await answers('counted.test', 'counted / 200')
  for (let i = 0; i < 4; i++) await curl('counted.test', '/')
  assert.equal(await count('counted'), 5)
  await running.client.delete(ingresses, 'counted', { namespace: 'default' })
  await until(async () => assert.match(await curl('counted.test', '/'), / 404$/))
  // As many Services one after the other as there are back ends, so that its own comes to another one.
  const pid = running.pid()
  const next = await running.pod('next')
  for (let i = 0; i < 40; i++) {
    running.service(`next-${i}`, [next])
    running.ingress('next', 'next.test', `/${i}`, `next-${i}`)
    await until(async () => assert.equal(await curl('next.test', `/${i}`), `next /${i} 200`))
  }
  assert.equal(running.pid(), pid)
  assert.equal(await count('counted'), 5)
  for (let i = 0; i < 40; i++) assert.equal(await count(`next-${i}`), 1)
})

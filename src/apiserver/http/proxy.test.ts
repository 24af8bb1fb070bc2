// The /proxy of pods, Services and nodes, through an agent that is a kubelet as far as port-forwards by WebSocket go.
import * as assert from 'node:assert/strict'
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { issueCertificate } from '#pki/certificate.ts'
import { serveApi, type ServedApi } from '#test/served-api.ts'
import { until } from '#test/until.ts'

let api: ServedApi
const servers: Server[] = []
let web: number
let secure: number
/** how the WebSockets of the pod ended */
const closings: string[] = []
const base = '/api/v1/namespaces/default'

const listen = async (server: Server) => {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** What pods run: says what it was asked. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk)
  const path = request.url ?? ''
  if (path === '/moved') return void response.writeHead(302, { location: '/there' }).end()
  if (path === '/page') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<a href="/x">')
  if (path === '/teapot') return void response.writeHead(418, { 'x-own': 'yes' }).end('short')
  const { method, headers } = request
  response.end(JSON.stringify({ method, path, headers, size: Buffer.concat(chunks).length }))
}

before(async () => {
  api = await serveApi()
  const pair = issueCertificate(api.ca, { commonName: 'system:node:n', usages: ['server'], ips: ['127.0.0.1'] })
  const pod = createHttpServer((request, response) => void answer(request, response))
  const chats = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered].at(-1) ?? false })
  chats.on('connection', (client, request) => {
    client.send(`asked for ${request.url}`)
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }))
    client.on('close', (code, reason) => closings.push(`${code} ${String(reason)}`))
  })
  pod.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade === 'websocket')
      return chats.handleUpgrade(request, socket, head, (client) => void chats.emit('connection', client, request))
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('data', (data: Uint8Array) => socket.write(data))
    return undefined
  })
  web = await listen(pod)
  secure = await listen(createHttpsServer(pair, (request, response) => void answer(request, response)))
  const agent = createHttpsServer({ ...pair, ca: api.ca.cert, requestCert: true }, (_request, response) =>
    response.end('the agent'),
  )
  const forwards = new WebSocketServer({ noServer: true, handleProtocols: () => 'v4.channel.k8s.io' })
  agent.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://agent')
    assert.equal(pathname, '/portForward/default/p')
    const port = Number(searchParams.get('port'))
    forwards.handleUpgrade(request, socket, head, (client) => {
      const say = (channel: number, data: Uint8Array) => client.send(Buffer.concat([Uint8Array.of(channel), data]))
      for (const channel of [0, 1]) say(channel, Uint8Array.of(port & 255, port >> 8))
      const there = connect(port, '127.0.0.1')
      there.on('data', (data: Uint8Array) => say(0, data))
      there.on('error', (error) => say(1, Buffer.from(error.message)))
      there.on('close', () => client.close())
      client.on('message', (message: Buffer) => there.write(message.subarray(1)))
      client.on('close', () => there.destroy())
    })
  })
  const agentPort = await listen(agent)
  await api.call('POST', '/api/v1/nodes', { metadata: { name: 'n' } })
  await api.call('PUT', '/api/v1/nodes/n/status', {
    metadata: { name: 'n' },
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: agentPort } },
    },
  })
  const containers = [{ name: 'c', image: 'i', ports: [{ containerPort: web }] }]
  for (const name of ['p', 'young'])
    await api.call('POST', `${base}/pods`, { metadata: { name }, spec: { nodeName: 'n', containers } })
  await api.call('PUT', `${base}/pods/p/status`, { metadata: { name: 'p' }, status: { podIPs: [{ ip: '10.1.2.3' }] } })
  const ports = [
    { name: 'web', port: 80, targetPort: web },
    { name: 'dead', port: 81 },
  ]
  await api.call('POST', `${base}/services`, { metadata: { name: 's' }, spec: { ports } })
  const targetRef = { kind: 'Pod', name: 'p', namespace: 'default' }
  await api.call('POST', `${base}/endpoints`, {
    metadata: { name: 's' },
    subsets: [
      { addresses: [{ ip: '10.1.2.3', targetRef }], ports: [{ name: 'web', port: web }] },
      { addresses: [{ ip: '10.9.9.9', targetRef }], ports: [{ name: 'dead', port: web }] },
    ],
  })
})
after(async () => {
  await api[Symbol.asyncDispose]()
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
})

const get = (path: string) => api.ask(base + path, api.admin)
const messageOf = ({ body }: { body: string }) => (JSON.parse(body) as { message: string }).message

test('a request goes on with method, path, query, body and headers, and without what is only for the server', async () => {
  const reply = await api.ask(`${base}/pods/p/proxy/a%20b/?x=%2f&x=+`, {
    ...api.admin,
    method: 'PUT',
    headers: {
      'x-mine': 'yes',
      authorization: 'Bearer secret',
      'impersonate-user': 'boss',
      'impersonate-group': 'system:masters',
    },
    body: Buffer.alloc(5_000_000),
  })
  const told = JSON.parse(reply.body)
  assert.deepEqual([told.method, told.path, told.size], ['PUT', '/a%20b/?x=%2f&x=+', 5_000_000])
  assert.equal(told.headers['x-mine'], 'yes')
  assert.equal(told.headers['authorization'], undefined)
  assert.equal(told.headers['impersonate-user'], undefined)
  assert.equal(told.headers['x-forwarded-uri'], `${base}/pods/p/proxy/a%20b/`)
  assert.equal(told.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(told.headers['host'], `127.0.0.1:${api.port}`)
})

test('answers come back as they are: codes, headers, redirects and pages made to fit', async () => {
  const teapot = await get('/pods/p/proxy/teapot')
  assert.deepEqual([teapot.code, teapot.headers['x-own'], teapot.body], [418, 'yes', 'short'])
  assert.equal((await get('/pods/p/proxy/moved')).headers['location'], `${base}/pods/p/proxy/there`)
  assert.equal((await get('/pods/p/proxy/page')).body, `<a href="${base}/pods/p/proxy/x">`)
  const root = await get('/pods/p/proxy?a=b')
  assert.deepEqual([root.code, root.headers['location']], [301, `${base}/pods/p/proxy/?a=b`])
})

test('pods, Services and nodes by name, port and scheme', async () => {
  const pathOf = async (path: string) => JSON.parse((await get(path)).body).path
  assert.equal(await pathOf(`/pods/p:${web}/proxy/1`), '/1')
  assert.equal(await pathOf(`/pods/https:p:${secure}/proxy/2`), '/2')
  assert.equal(await pathOf('/services/s:web/proxy/3'), '/3')
  assert.equal(await pathOf('/services/s:80/proxy/4'), '/4')
  assert.equal(await pathOf('/services/http:s:web/proxy/5'), '/5')
  const node = (path: string) => api.ask(`/api/v1/nodes/${path}`, api.admin)
  assert.equal((await node('n/proxy/pods')).body, 'the agent')
  assert.equal(JSON.parse((await node(`n:${web}/proxy/6`)).body).path, '/6')
  assert.equal(JSON.parse((await node(`https:n:${secure}/proxy/7`)).body).path, '/7')
})

test('what cannot be reached is said in Kubernetes words', async () => {
  for (const [path, code, message] of [
    ['/pods/none/proxy/', 404, 'pods "none" not found'],
    ['/pods/a:b:c:d/proxy/', 400, 'invalid pod request "a:b:c:d"'],
    ['/pods/ftp:p:1/proxy/', 400, 'invalid pod request "ftp:p:1"'],
    ['/pods/young/proxy/', 400, 'address not allowed'],
    ['/services/s/proxy/', 503, 'no endpoints available for service "s"'],
    ['/services/s:other/proxy/', 503, 'no endpoints available for service "s:other"'],
    // Its endpoint says an address that is not the pod's.
    ['/services/s:dead/proxy/', 503, 'no endpoints available for service "s:dead"'],
    ['/services/s:99/proxy/', 503, 'no service port 99 found for service "s"'],
    ['/services/none/proxy/', 404, 'services "none" not found'],
  ] as const) {
    const reply = await get(path)
    assert.deepEqual([reply.code, messageOf(reply)], [code, message], path)
  }
  const closed = await get('/pods/p:1/proxy/')
  assert.equal(closed.code, 503)
  assert.match(messageOf(closed), /^error trying to reach service: .*ECONNREFUSED/)
})

test('a right of its own, by verb', async () => {
  const reply = await api.ask(`${base}/pods/p/proxy/`, { ...api.issue('somebody'), method: 'DELETE' })
  assert.equal(
    messageOf(reply),
    'pods "p" is forbidden: User "somebody" cannot delete resource "pods/proxy" in API group "" in the namespace "default"',
  )
})

test('discovery shows it', async () => {
  const { resources } = await api.call('GET', '/api/v1')
  const shown = (resources as { name: string; kind: string; verbs: string[] }[]).filter(({ name }) =>
    name.endsWith('/proxy'),
  )
  assert.deepEqual(shown.map(({ name, kind }) => `${name} ${kind}`).sort(), [
    'nodes/proxy NodeProxyOptions',
    'pods/proxy PodProxyOptions',
    'services/proxy ServiceProxyOptions',
  ])
  assert.deepEqual(shown[0]!.verbs, ['create', 'delete', 'get', 'patch', 'update'])
})

test('OPTIONS goes on as well, for those who may do everything', async () => {
  const path = `${base}/pods/p/proxy/cors`
  const asked = await api.ask(path, { ...api.admin, method: 'OPTIONS' })
  assert.deepEqual([asked.code, JSON.parse(asked.body).method], [200, 'OPTIONS'])
  assert.equal((await api.ask(path, { ...api.issue('somebody'), method: 'OPTIONS' })).code, 403)
  const elsewhere = await api.ask(`${base}/pods/p`, { ...api.admin, method: 'OPTIONS' })
  assert.equal(elsewhere.code, 405)
})

for (const path of [`${base}/pods/p/proxy/chat?room=1`, `${base}/services/s:web/proxy/chat?room=1`])
  test(`a WebSocket through ${path}`, async () => {
    const { ca, admin } = api
    const socket = new WebSocket(`wss://127.0.0.1:${api.port}${path}`, ['first', 'second'], { ca: ca.cert, ...admin })
    const got: (string | Buffer)[] = []
    socket.on('message', (data: Buffer, isBinary) => got.push(isBinary ? data : String(data)))
    const pong = new Promise((resolve) => socket.once('pong', (data) => resolve(String(data))))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    assert.equal(socket.protocol, 'second', 'the pod chooses')
    const large = Buffer.alloc(1_000_000, 7)
    socket.send('short')
    socket.ping('there?')
    socket.send(large)
    socket.send('')
    assert.equal(await pong, 'there?')
    const closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => resolve(`${code} ${String(reason)}`)),
    )
    await until(() => assert.equal(got.length, 4))
    assert.deepEqual([got[0], got[1], got[3]], ['asked for /chat?room=1', 'short', ''])
    assert.ok(large.equals(got[2] as Buffer))
    socket.close(4000, 'enough')
    assert.equal(await closed, '4000 enough')
    await until(() => assert.equal(closings.at(-1), '4000 enough'))
  })

for (const path of [`${base}/pods/p/proxy/`, `${base}/services/s:web/proxy/`])
  test(`an upgrade through ${path}`, async () => {
    const echoed = await upgrade(path, 'hello')
    assert.equal(echoed, 'hello')
  })

test('an upgrade that the pod refuses is answered as the pod does', async () => {
  const path = `${base}/pods/https:p:${secure}/proxy/teapot`
  await assert.rejects(upgrade(path, ''), /no upgrade: 418 yes/)
})

function upgrade(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: 'echo' }
    const { port, ca, admin } = api
    const request = httpsRequest({ host: '127.0.0.1', port, path, ca: ca.cert, ...admin, headers, agent: false })
    request.on('upgrade', (_response, socket) => {
      socket.write(text)
      socket.once('data', (data: Uint8Array) => {
        socket.destroy()
        resolve(String(data))
      })
    })
    request.on('response', (response) =>
      reject(new Error(`no upgrade: ${response.statusCode} ${String(response.headers['x-own'])}`)),
    )
    request.on('error', reject)
    request.end()
  })
}

// The server as clients meet it: TLS, identities, both versions of HTTP, bodies, streams and relays to agents.
import * as assert from 'node:assert/strict'
import { createServer, request as httpsRequest } from 'node:https'
import { connect as connectH2 } from 'node:http2'
import { after, before, test } from 'node:test'
import type { AddressInfo } from 'node:net'
import { createAuthority, issueCertificate, type KeyPair } from '#pki/certificate.ts'
import { createTokenSigner } from '#pki/jwt.ts'
import { claimsOf } from '#pki/service-account-token.ts'
import { serveApi, type Reply, type ServedApi } from '#test/served-api.ts'

const other = createAuthority({ commonName: 'kubernetes' })
let api: ServedApi
let ca: KeyPair
let admin: KeyPair
let port: number
let ask: ServedApi['ask']

before(async () => {
  api = await serveApi()
  ;({ ca, admin, port, ask } = api)
})
after(() => api[Symbol.asyncDispose]())

const messageOf = ({ body }: Reply) => (JSON.parse(body) as { message: string }).message

test('health and version for everyone, nothing else', async () => {
  assert.deepEqual((await ask('/readyz')).body, 'ok')
  assert.match((await ask('/livez?verbose')).body, /^\[\+\]ping ok\n[^]*livez check passed\n$/)
  assert.equal((JSON.parse((await ask('/version')).body) as { minor: string }).minor, '36')
  const refused = await ask('/api/v1/pods')
  assert.deepEqual(
    [refused.code, messageOf(refused)],
    [
      403,
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
    ],
  )
  assert.equal((await ask('/metrics')).code, 403)
  assert.equal((await ask('/readyz/store')).code, 403)
  const stranger = issueCertificate(other, {
    commonName: 'admin',
    organizations: ['system:masters'],
    usages: ['client'],
  })
  assert.equal((await ask('/api/v1/pods', stranger)).code, 401, 'a certificate of another authority')
  await assert.rejects(ask('/readyz', { ca: other.cert }), /certificate/)
})

test('TLS 1.2 and later, nothing older', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    assert.equal((await ask('/readyz', { minVersion: version, maxVersion: version })).code, 200)
  // Without the security level of today this client would not even try.
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const
  await assert.rejects(ask('/readyz', old), /version|protocol/i)
})

test('a certificate is a user, and a user may do what its roles say', async () => {
  const proxy = api.issue('system:kube-proxy')
  assert.equal((await ask('/api/v1/services', admin)).code, 200)
  assert.equal((await ask('/api/v1/services', proxy)).code, 200)
  const refused = await ask('/api/v1/namespaces/default/secrets', proxy)
  assert.deepEqual(
    [refused.code, messageOf(refused)],
    [
      403,
      'secrets is forbidden: User "system:kube-proxy" cannot list resource "secrets" in API group "" in the namespace "default"',
    ],
  )
  const path = await ask('/metrics', proxy)
  assert.deepEqual(
    [path.code, messageOf(path)],
    [403, 'forbidden: User "system:kube-proxy" cannot get path "/metrics"'],
  )
  assert.match((await ask('/metrics', admin)).body, /apiserver_request_total\{verb="LIST",.*resource="services"/)
})

test('what nobody serves makes no figures of its own, whoever asks for it', async () => {
  const figures = async () => (await ask('/metrics', admin)).body.split('\n').length
  const paths = (n: number) => [
    `/apis/group-${n}/v1/things`,
    `/api/v1/namespaces/default/pods/p/part-${n}`,
    `/api/v1/kind-${n}`,
    `/openapi/v3/apis/group-${n}/v1`,
    `/nothing-${n}`,
  ]
  const tryAll = async (n: number) => {
    for (const path of paths(n)) for (const who of [admin, {}]) await ask(path, who)
  }
  await tryAll(0)
  const before = await figures()
  for (let n = 1; n < 20; n++) await tryAll(n)
  assert.ok((await figures()) <= before + 2, 'they all count as one')
  const scale = '/apis/apps/v1/namespaces/default/deployments/none/scale'
  await ask(scale, admin)
  await ask('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { ...admin, method: 'POST', body: '{}' })
  const { body } = await ask('/metrics', admin)
  assert.match(
    body,
    /apiserver_request_total\{verb="GET",group="apps",version="v1",resource="deployments",subresource="scale"/,
  )
  assert.match(body, /apiserver_request_total\{verb="POST",.*resource="selfsubjectaccessreviews"/)
})

test('a token counts as long as its account is there', async () => {
  const path = '/api/v1/namespaces/kube-system/serviceaccounts'
  const made = await ask(path, { ...admin, method: 'POST', body: '{"metadata":{"name":"kube-dns"}}' })
  const { uid } = (JSON.parse(made.body) as { metadata: { uid: string } }).metadata
  const token = (id: string, minutes = 10) =>
    createTokenSigner(api.tokens.key)(
      claimsOf({
        issuer: api.tokens.issuer,
        audiences: [api.tokens.issuer],
        namespace: 'kube-system',
        serviceAccount: { name: 'kube-dns', uid: id },
        issuedAtMs: Date.now() - 600_000,
        expiresAtMs: Date.now() + minutes * 60_000,
        id: 'x',
      }),
    )
  const get = async (bearer: string) =>
    (await ask('/api/v1/services', { headers: { authorization: `Bearer ${bearer}` } })).code
  assert.equal(await get(token(uid)), 200)
  assert.equal(await get(token('other')), 401)
  assert.equal(await get(token(uid, -1)), 401)
  assert.equal(await get('rubbish'), 401)
  const request = await ask(`${path}/kube-dns/token`, { ...admin, method: 'POST', body: '{"spec":{}}' })
  const given = JSON.parse(request.body) as { status: { token: string }; spec: { expirationSeconds: number } }
  assert.deepEqual([request.code, given.spec.expirationSeconds], [201, 3600])
  assert.equal(await get(given.status.token), 200)
  const short = await ask(`${path}/kube-dns/token`, {
    ...admin,
    method: 'POST',
    body: '{"spec":{"expirationSeconds":5}}',
  })
  assert.equal(
    messageOf(short),
    'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes',
  )
  await ask(`${path}/kube-dns`, { ...admin, method: 'DELETE' })
  assert.equal(await get(token(uid)), 401)
})

test('HTTP/2, and a watch on it', async () => {
  const session = connectH2(`https://127.0.0.1:${port}`, { ca: ca.cert, cert: admin.cert, key: admin.key })
  try {
    const stream = session.request({ ':path': '/api/v1/namespaces?watch=true' })
    const lines: string[] = []
    const wanted = Promise.withResolvers<void>()
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      lines.push(...text.trim().split('\n'))
      if (lines.some((line) => line.includes('"new"'))) wanted.resolve()
    })
    await new Promise((resolve) => stream.once('response', resolve))
    await ask('/api/v1/namespaces', { ...admin, method: 'POST', body: '{"metadata":{"name":"new"}}' })
    await wanted.promise
    assert.equal(lines.length, 5)
  } finally {
    session.destroy()
  }
})

test('bodies: too large, not what they say', async () => {
  const path = '/api/v1/namespaces/default/configmaps'
  const post = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
    ask(path, { ...admin, method: 'POST', body, headers })
  const large = await post(JSON.stringify({ metadata: { name: 'x' }, data: { a: 'x'.repeat(3 * 1024 * 1024) } }))
  assert.deepEqual([large.code, messageOf(large)], [413, 'Request entity too large: limit is 3145728'])
  assert.equal((await post('{', {})).code, 400)
  assert.equal((await post('<a/>', { 'content-type': 'text/xml' })).code, 415)
  assert.equal((await post('x', { 'content-encoding': 'gzip' })).code, 400)
})

test('log and exec go on to the agent of the node', async (context) => {
  const agentPair = issueCertificate(ca, { commonName: 'system:node:n', usages: ['server'], ips: ['127.0.0.1'] })
  const agent = createServer({ ...agentPair, ca: ca.cert, requestCert: true }, (request, response) =>
    response.end(`log of ${request.url}`),
  )
  agent.on('upgrade', (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
    )
    socket.on('data', (data: Uint8Array) => socket.write(`echo ${String(data)}`))
  })
  await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    agent.close()
    agent.closeAllConnections()
  })
  const agentPort = (agent.address() as AddressInfo).port
  const post = (path: string, object: object, method = 'POST') =>
    ask(path, { ...admin, method, body: JSON.stringify(object) })
  await post('/api/v1/nodes', { metadata: { name: 'n' } })
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: agentPort } },
  }
  await post('/api/v1/nodes/n/status', { metadata: { name: 'n' }, status }, 'PUT')
  const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] }
  const made = await post('/api/v1/namespaces/default/pods', { metadata: { name: 'p' }, spec })
  assert.equal(made.code, 201, made.body)
  const log = await ask('/api/v1/namespaces/default/pods/p/log?tailLines=3', admin)
  assert.match(log.body, /^log of \/containerLogs\/default\/p\/c\?.*tailLines=3/)
  const echoed = await new Promise<string>((resolve, reject) => {
    const request = httpsRequest({
      host: '127.0.0.1',
      port,
      path: '/api/v1/namespaces/default/pods/p/exec?command=sh&container=c&stdin=true&stdout=true',
      method: 'POST',
      ca: ca.cert,
      ...admin,
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1' },
    })
    request.on('upgrade', (_response, socket) => {
      socket.write('hello')
      socket.once('data', (data: Uint8Array) => {
        socket.destroy()
        resolve(String(data))
      })
    })
    request.on('response', (response) => reject(new Error(`no upgrade: ${response.statusCode}`)))
    request.on('error', reject)
    request.end()
  })
  assert.equal(echoed, 'echo hello')
  agent.close()
  agent.closeAllConnections()
  const gone = await ask('/api/v1/namespaces/default/pods/p/log', admin)
  assert.equal(gone.code, 500)
  assert.match(
    messageOf(gone),
    /^Get "https:\/\/127\.0\.0\.1:\d+\/containerLogs\/default\/p\/c": dial tcp 127\.0\.0\.1:\d+: connect: connection refused$/,
  )
})

test('the Service kubernetes and its endpoints lead to the server', async () => {
  const get = async (path: string) => JSON.parse((await ask(path, admin)).body)
  const service = await get('/api/v1/namespaces/default/services/kubernetes')
  assert.deepEqual(
    [service.spec.clusterIP, service.spec.ports[0].port, service.spec.ports[0].targetPort],
    ['10.96.0.1', 443, port],
  )
  const endpoints = await get('/api/v1/namespaces/default/endpoints/kubernetes')
  assert.deepEqual(endpoints.subsets, [
    { addresses: [{ ip: '192.0.2.1' }], ports: [{ name: 'https', port, protocol: 'TCP' }] },
  ])
  const slice = await get('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes')
  assert.deepEqual(slice.endpoints[0].addresses, ['192.0.2.1'])
})

type Connection = Awaited<ReturnType<typeof connect>>

/** Many requests at once on one session. */
async function connect(identity: KeyPair) {
  const session = connectH2(`https://127.0.0.1:${port}`, { ca: ca.cert, ...identity })
  await new Promise((resolve) => session.once('remoteSettings', resolve))
  const open = (path: string) => session.request({ ':path': path })
  const get = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const stream = open(path)
      let code = 0
      stream.on('response', (headers) => (code = headers[':status'] ?? 0))
      stream.on('error', reject)
      stream.resume()
      stream.on('end', () => resolve(code))
    })
  return { session, open, get }
}

test('5,000 idle watches all see the one change, and others go on', async () => {
  const path = '/api/v1/namespaces/default/configmaps?watch=true&fieldSelector=metadata.name%3Dsignal'
  const sessions = await Promise.all(Array.from({ length: 20 }, () => connect(admin)))
  try {
    let began = 0
    let seen = 0
    const done = Promise.withResolvers<void>()
    const ready = Promise.withResolvers<void>()
    for (const { open } of sessions)
      for (let n = 0; n < 250; n++) {
        const stream = open(path)
        stream.on('response', () => {
          if (++began === 5000) ready.resolve()
        })
        stream.once('data', () => {
          if (++seen === 5000) done.resolve()
        })
        stream.on('error', () => {})
      }
    await ready.promise
    assert.equal((await ask('/api/v1/nodes', admin)).code, 200)
    const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"signal"}}'
    const headers = { 'content-type': 'application/json' }
    const made = await ask('/api/v1/namespaces/default/configmaps', { method: 'POST', ...admin, headers, body })
    assert.equal(made.code, 201)
    await done.promise
  } finally {
    for (const { session } of sessions) session.destroy()
  }
})

test('one who asks for very much does not keep a node waiting', async () => {
  const robot = api.issue('robot')
  const binding = {
    metadata: { name: 'robot' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'robot' }],
  }
  const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
  const made = await ask(bindings, { method: 'POST', ...admin, body: JSON.stringify(binding) })
  assert.equal(made.code, 201, made.body)
  const sessions = await Promise.all([
    connect(robot),
    connect(robot),
    connect(api.issue('system:node:n1', 'system:nodes')),
  ])
  const [one, two, node] = sessions as [Connection, Connection, Connection]
  try {
    while ((await one.get('/api/v1/services')) !== 200) await new Promise((resolve) => setTimeout(resolve, 5))
    let answered = 0
    const codes = [one, two].flatMap(({ get }) =>
      Array.from({ length: 250 }, () => get('/api/v1/services').finally(() => answered++)),
    )
    assert.equal(await node.get('/api/v1/services'), 200)
    assert.ok(answered < codes.length, `${answered} were answered before the node`)
    const strange = (await Promise.all(codes)).filter((code) => code !== 200 && code !== 429)
    assert.deepEqual(strange, [])
  } finally {
    for (const { session } of sessions) session.destroy()
  }
})

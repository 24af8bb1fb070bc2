// The server on real sockets of loopback, with real upstreams: other instances of its own parts.
import * as assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '#daemon/clock.ts'
import { createForward } from '#dns/forward/forward.ts'
import { createUpstream } from '#dns/forward/upstream.ts'
import type { ForwardConfig } from '#dns/corefile/config.ts'
import { createResolver, type Resolver, type Server } from '#dns/resolver.ts'
import { createResponder } from '#dns/serve/responder.ts'
import { serveTcp } from '#dns/serve/tcp.ts'
import { serveUdp } from '#dns/serve/udp.ts'
import { decodeMessage, encodeMessage, rcodes, type Message, queryMessage } from '#dns/wire/message.ts'
import { recordTypes } from '#dns/wire/record.ts'
import { Zone } from '#dns/zone.ts'

const address = '127.0.0.1'

const queryFor = (name: string, id = 7): Message => queryMessage(id, { name, type: recordTypes.A, class: 1 })

async function askUdp(port: number, query: Message): Promise<Message | undefined> {
  const socket = createSocket('udp4')
  socket.send(encodeMessage(query), port, address)
  const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(30_000) })) as [Buffer]
  socket.close()
  return decodeMessage(bytes)
}

/** A server of many addresses under `big.test`, and of one under any other name. */
const upstreamResolver: Resolver = (query) => {
  const count = query.name === 'big.test' ? 200 : 1
  const answers = Array.from({ length: count }, (_, i) => ({
    name: query.name,
    type: recordTypes.A,
    class: 1,
    ttl: 60,
    data: { kind: 'address' as const, bytes: Uint8Array.of(192, 0, 2, i) },
  }))
  return { kind: 'now', zone: '.', reply: { rcode: rcodes.NOERROR, authoritative: true, answers } }
}

async function serve(resolve: Resolver, signal: AbortSignal) {
  const responder = createResponder(resolve)
  const { port } = serveUdp(responder, { address, port: 0, signal })
  await serveTcp(responder, { address, port, signal })
  return { responder, port }
}

const forwardConfig: ForwardConfig = {
  from: '',
  to: [],
  except: [],
  transport: 'as-asked',
  policy: 'sequential',
  maxFails: 2,
  expireMs: 10_000,
  healthCheckMs: 500,
  maxConcurrent: 100,
}

function clusterServer(zone: Zone, forward: Server['forwards']): Server {
  const config = {
    zones: [''],
    port: 0,
    bind: [],
    errors: true,
    log: [],
    forward: [],
    loop: false,
    loadbalance: true,
    rewrite: [],
  }
  const options = {
    domain: 'cluster.local',
    reverseZones: [],
    ttl: 30,
    pods: 'insecure' as const,
    namespaces: [],
    endpointPodNames: false,
    ignoreEmptyServices: false,
    fallthrough: [],
    localIps: [],
  }
  return { config, kubernetes: { zone, options }, forwards: forward }
}

test('serve: the cluster, the world outside, both transports, and a change seen at once', async (t) => {
  const ended = new AbortController()
  t.after(() => ended.abort())
  const { signal } = ended
  const upstream = await serve(upstreamResolver, signal)
  const dead = { address, port: 1 }
  const upstreams = [dead, { address, port: upstream.port }].map((at) => createUpstream(at, { expireMs: 10_000 }))
  const forward = createForward(forwardConfig, upstreams, { clock: systemClock, signal })
  t.after(() => upstreams.forEach((each) => each.close()))
  const zone = new Zone()
  zone.synced = true
  zone.apply({ kind: 'namespace', key: 'default', value: 'default' })
  const service = (ip: string) => ({
    namespace: 'default',
    name: 'web',
    kind: 'virtual' as const,
    clusterIps: [ip],
    ports: [{ name: '', protocol: 'tcp', port: 80 }],
  })
  const { port, responder } = await serve(
    createResolver([clusterServer(zone, [{ config: forwardConfig, forward }])]),
    signal,
  )
  const web = queryFor('web.default.svc.cluster.local')

  responder.forget(zone.apply({ kind: 'service', key: 'default/web', value: service('10.96.0.7') }))
  for (const ip of [7, 8]) {
    responder.forget(zone.apply({ kind: 'service', key: 'default/web', value: service(`10.96.0.${ip}`) }))
    for (let again = 0; again < 3; again++) {
      const reply = await askUdp(port, web)
      assert.deepEqual(reply?.answers[0]?.data, { kind: 'address', bytes: Uint8Array.of(10, 96, 0, ip) })
      assert.ok(reply?.authoritative)
    }
  }
  const outside = await askUdp(port, queryFor('www.example.test'))
  assert.equal(outside?.answers.length, 1)
  const big = await askUdp(port, queryFor('big.test'))
  assert.ok(big?.truncated && big.answers.length > 20)

  const socket = connect(port, address)
  const queries = [queryFor('big.test', 1), web, queryFor('nothing.default.svc.cluster.local', 3)].map((query) =>
    encodeMessage(query),
  )
  const framed = Buffer.concat(queries.flatMap((bytes) => [Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]))
  for (const byte of framed) socket.write(Buffer.of(byte))
  const replies = new Map<number, Message>()
  let received: Buffer = Buffer.alloc(0)
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer])
    while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
      const reply = decodeMessage(received.subarray(2, received.readUInt16BE(0) + 2))!
      replies.set(reply.id, reply)
      received = received.subarray(received.readUInt16BE(0) + 2)
    }
    if (replies.size === 3) break
  }
  assert.equal(replies.get(1)?.answers.length, 200)
  assert.equal(replies.get(7)?.answers.length, 1)
  assert.equal(replies.get(3)?.rcode, rcodes.NXDOMAIN)
  assert.equal(replies.get(3)?.authorities[0]?.type, recordTypes.SOA)
})

test('serve: rubbish is answered by no more than was asked, and others are still answered', async (t) => {
  const ended = new AbortController()
  t.after(() => ended.abort())
  const { port } = await serve(upstreamResolver, ended.signal)
  const socket = createSocket('udp4')
  let longest = 0
  socket.on('message', (bytes) => (longest = Math.max(longest, bytes.length)))
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 250; i++)
      socket.send(Buffer.from(Array.from({ length: i % 40 }, (_, j) => (i * 31 + j * 17) & 255)), port, address)
    assert.equal((await askUdp(port, queryFor('a.test')))?.answers.length, 1)
  }
  assert.ok(longest <= 40)
  socket.close()
})

test('serve: a port that is taken is said in words', async (t) => {
  const ended = new AbortController()
  t.after(() => ended.abort())
  const { port } = await serve(upstreamResolver, ended.signal)
  const responder = createResponder(upstreamResolver)
  assert.throws(() => serveUdp(responder, { address, port, signal: ended.signal }), /udp 127\.0\.0\.1:\d+ is taken/)
  await assert.rejects(serveTcp(responder, { address, port, signal: ended.signal }), /tcp 127\.0\.0\.1:\d+ is taken/)
})

test(
  'serve: a port below 1024 without the right to it is said in words',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  () => {
    const responder = createResponder(upstreamResolver)
    process.seteuid!(65_534)
    try {
      assert.throws(
        () => serveUdp(responder, { address, port: 53, signal: new AbortController().signal }),
        /not allowed to listen on udp 127\.0\.0\.1:53/,
      )
    } finally {
      process.seteuid!(0)
    }
  },
)

test('serve: a client that stops in the middle of a query is hung up on, and others are answered', async (t) => {
  const ended = new AbortController()
  t.after(() => ended.abort())
  const { port } = await serve(upstreamResolver, ended.signal)
  const query = encodeMessage(queryFor('a.test'))
  const halting = connect(port, address)
  halting.write(Buffer.from([0, query.length, ...query.subarray(0, 5)]))
  assert.equal((await askUdp(port, queryFor('a.test')))?.answers.length, 1)
  await once(halting.resume(), 'close', { signal: AbortSignal.timeout(30_000) })
})

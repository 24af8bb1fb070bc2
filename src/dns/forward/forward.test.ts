// Questions to upstream servers that are good, slow, dead, or lie.
import * as assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '#daemon/clock.ts'
import type { ForwardConfig } from '#dns/corefile/config.ts'
import { createForward } from '#dns/forward/forward.ts'
import { createUpstream } from '#dns/forward/upstream.ts'
import { decodeMessage, encodeMessage, rcodes, type Message } from '#dns/wire/message.ts'
import { recordTypes } from '#dns/wire/record.ts'

const address = '127.0.0.1'
const config: ForwardConfig = {
  from: '',
  to: [],
  except: [],
  transport: 'as-asked',
  policy: 'sequential',
  maxFails: 2,
  expireMs: 10_000,
  healthCheckMs: 50,
  maxConcurrent: 0,
}

const answerTo = (query: Message, last: number, more: Partial<Message> = {}): Uint8Array => {
  const { name, type } = query.questions[0]!
  const data = { kind: 'address' as const, bytes: Uint8Array.of(192, 0, 2, last) }
  return encodeMessage({ ...query, response: true, answers: [{ name, type, class: 1, ttl: 60, data }], ...more })
}

/** An upstream whose answers by UDP are what `byUdp` says; by TCP it always answers with 192.0.2.99. */
async function startUpstream(t: TestContext, byUdp: (query: Message) => readonly Uint8Array[]) {
  const seen = { udp: 0, tcp: 0, connections: 0 }
  const sockets = new Set<Socket>()
  const tcp = createServer((socket) => {
    seen.connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      // Questions of one test may come together.
      for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at) + 2) {
        seen.tcp++
        const answer = answerTo(decodeMessage(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at)))!, 99)
        socket.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 255), answer]))
      }
    })
  })
  tcp.listen(0, address)
  await once(tcp, 'listening')
  const { port } = tcp.address() as AddressInfo
  const udp = createSocket('udp4')
  udp.bind(port, address)
  await once(udp, 'listening')
  udp.on('message', (bytes, from) => {
    seen.udp++
    for (const reply of byUdp(decodeMessage(bytes)!)) udp.send(reply, from.port, from.address)
  })
  const cut = () => sockets.forEach((socket) => socket.destroy())
  t.after(() => {
    cut()
    udp.close()
    tcp.close()
  })
  return { port, seen, cut }
}

function forwardTo(t: TestContext, ports: readonly number[], change: Partial<ForwardConfig> = {}) {
  const ended = new AbortController()
  const merged = { ...config, ...change }
  const upstreams = ports.map((port) => createUpstream({ address, port }, merged))
  const reasons: string[] = []
  t.after(() => {
    ended.abort()
    upstreams.forEach((upstream) => upstream.close())
  })
  const context = {
    clock: systemClock,
    signal: ended.signal,
    onFailure: (_: string, __: number, reason: string) => void reasons.push(reason),
  }
  const { ask } = createForward(merged, upstreams, context)
  const lastOf = async (query: { readonly byTcp?: boolean } = {}) => {
    const { rcode, answers } = await ask('www.example.test', recordTypes.A, query)
    const data = answers?.[0]?.data
    return data?.kind === 'address' ? data.bytes[3] : rcode
  }
  return { lastOf, reasons }
}

test('forward: answers that do not fit the question are not looked at', async (t) => {
  const { port } = await startUpstream(t, (query) => [
    answerTo(query, 1, { id: query.id ^ 1 }),
    answerTo(query, 2, { questions: [{ name: 'other.test', type: 1, class: 1 }] }),
    answerTo(query, 3, { response: false }),
    Uint8Array.of(1, 2, 3),
    answerTo(query, 4),
  ])
  assert.equal(await forwardTo(t, [port]).lastOf(), 4)
})

test('forward: what is cut short is asked for again by TCP; which of both comes first is configured', async (t) => {
  const cut = await startUpstream(t, (query) => [answerTo(query, 1, { truncated: true, answers: [] })])
  assert.equal(await forwardTo(t, [cut.port]).lastOf(), 99)
  assert.deepEqual([cut.seen.udp, cut.seen.tcp], [1, 1])
  const rows: [ForwardConfig['transport'], boolean, number][] = [
    ['as-asked', false, 1],
    ['as-asked', true, 99],
    ['udp', true, 1],
    ['tcp', false, 99],
  ]
  const whole = await startUpstream(t, (query) => [answerTo(query, 1)])
  for (const [transport, byTcp, want] of rows)
    assert.equal(await forwardTo(t, [whole.port], { transport }).lastOf({ byTcp }), want, `${transport} ${byTcp}`)
})

test('forward: a TCP connection is shared, opened again when it was cut, closed when unused', async (t) => {
  const { port, seen, cut } = await startUpstream(t, () => [])
  const { lastOf } = forwardTo(t, [port], { transport: 'tcp', expireMs: 200 })
  assert.deepEqual(await Promise.all([lastOf(), lastOf(), lastOf()]), [99, 99, 99])
  assert.equal(seen.connections, 1)
  cut()
  assert.equal(await lastOf(), 99)
  assert.equal(seen.connections, 2)
  await systemClock.sleep(500)
  assert.equal(await lastOf(), 99)
  assert.equal(seen.connections, 3)
})

test('forward: the next upstream is asked where one is dead; where all are, the reason is told', async (t) => {
  const { port } = await startUpstream(t, (query) => [answerTo(query, 5)])
  assert.equal(await forwardTo(t, [1, port]).lastOf(), 5)
  const { lastOf, reasons } = forwardTo(t, [1])
  assert.equal(await lastOf(), rcodes.SERVFAIL)
  assert.match(reasons[0]!, /^udp 127\.0\.0\.1:1: .*ECONNREFUSED/)
})

test('forward: no more than max_concurrent wait at once', async (t) => {
  const { port } = await startUpstream(t, () => [])
  const { lastOf, reasons } = forwardTo(t, [port], { maxConcurrent: 1 })
  const waiting = lastOf()
  assert.equal(await lastOf(), rcodes.REFUSED)
  assert.deepEqual(reasons, ['concurrent queries exceeded maximum 1'])
  assert.equal(await waiting, rcodes.SERVFAIL)
})

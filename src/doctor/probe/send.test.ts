// Real sockets on the loopback address: whoever opens, answers, refuses, hangs up or says nothing.
import * as assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import type { Probe } from '#doctor/probe/plan.ts'
import { sendProbe } from '#doctor/probe/send.ts'

const front = { service: 'default/web', kind: 'cluster-ip', family: 4, portName: '', backends: [] } as const
const probe = (port: number, protocol: 'tcp' | 'udp' = 'tcp', http = false): Probe => ({
  kind: 'connection',
  from: 'node/here',
  source: '',
  node: 'here',
  service: 'default/web',
  front: { ...front, ip: '127.0.0.1', port, protocol },
  protocol,
  ip: '127.0.0.1',
  port,
  http,
})

async function withServer(serve: (socket: Socket) => void, run: (port: number) => Promise<void>): Promise<void> {
  const held = new Set<Socket>()
  const server = createServer((socket) => {
    held.add(socket)
    socket.on('error', () => undefined)
    serve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await run((server.address() as AddressInfo).port)
  } finally {
    for (const socket of held) socket.destroy()
    server.close()
  }
}

const said = async (one: Probe) => {
  const { kind, text } = await sendProbe(one, undefined)
  return `${kind}: ${text}`
}

test('send: a connection that opens, and one that is refused', async () => {
  let free = 0
  await withServer(
    () => undefined,
    async (port) => {
      free = port
      assert.equal(await said(probe(port)), 'works: opens')
    },
  )
  assert.equal(await said(probe(free)), 'refused: ECONNREFUSED')
})

test('send: an answer by HTTP, a hang-up, and silence', async () => {
  await withServer(
    (socket) => void socket.on('data', () => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')),
    async (port) => assert.equal(await said(probe(port, 'tcp', true)), 'works: HTTP/1.1 503 Service Unavailable'),
  )
  await withServer(
    (socket) => socket.destroy(),
    async (port) => assert.match(await said(probe(port, 'tcp', true)), /^mute: open, then (closed|ECONNRESET)$/),
  )
  await withServer(
    () => undefined,
    async (port) => assert.equal(await said(probe(port, 'tcp', true)), 'mute: open, but no answer'),
  )
})

test('send: datagrams that are answered, refused, and kept', async () => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  assert.equal(await said(probe(port, 'udp')), 'mute: no answer, and no refusal')
  socket.on('message', (_, { port: to }) => socket.send('hello', to, '127.0.0.1'))
  assert.equal(await said(probe(port, 'udp')), 'works: answers')
  socket.close()
  await once(socket, 'close')
  assert.equal(await said(probe(port, 'udp')), 'refused: ECONNREFUSED')
})

const openHandles = () => process.getActiveResourcesInfo().filter((name) => /TCP|UDP/.test(name)).length

test('send: nothing stays open', async () => {
  const before = openHandles()
  await withServer(
    () => undefined,
    async (port) => void (await Promise.all([said(probe(port)), said(probe(port, 'udp'))])),
  )
  // Handles close in a later turn.
  for (const end = performance.now() + 30_000; openHandles() > before && performance.now() < end;)
    await new Promise((resolve) => setImmediate(resolve))
  assert.ok(openHandles() <= before)
})

import * as assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, connect } from 'node:net'
import { test } from 'node:test'
import { listeningSockets } from '#kernel/listening.ts'
import { need } from '#test/need.ts'

test('listening sockets: addresses, families, protocols; no connections', { skip: need({ root: true }) }, async () => {
  const server = async (host: string, ipv6Only: boolean) => {
    const one = createServer().listen({ host, port: 0, ipv6Only })
    await once(one, 'listening')
    return { one, port: (one.address() as AddressInfo).port }
  }
  const [any, only6, local] = [await server('::', false), await server('::', true), await server('127.0.0.1', false)]
  const udp = createSocket('udp4').bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const client = connect(local.port, '127.0.0.1')
  await once(client, 'connect')
  const found = listeningSockets()
  const of = (port: number) => found.filter((socket) => socket.port === port)
  assert.deepEqual(of(any.port), [{ protocol: 'tcp', port: any.port, families: [4, 6] }])
  assert.deepEqual(of(only6.port), [{ protocol: 'tcp', port: only6.port, families: [6] }])
  assert.deepEqual(of(local.port), [{ protocol: 'tcp', port: local.port, ip: '127.0.0.1', families: [4] }])
  assert.deepEqual(of(udp.address().port), [
    { protocol: 'udp', port: udp.address().port, ip: '127.0.0.1', families: [4] },
  ])
  assert.deepEqual(of(client.localPort!), [])
  client.destroy()
  udp.close()
  for (const { one } of [any, only6, local]) one.close()
})

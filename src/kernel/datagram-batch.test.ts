import * as assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { DatagramBatch, openDatagram, socketAddress } from '#kernel/datagram-batch.ts'
import { close, sendTo } from '#kernel/ffi.ts'

test('datagram batch: many in, each answered to its sender', async (t) => {
  const loopback = Uint8Array.of(127, 0, 0, 1)
  const { fd, port } = openDatagram(loopback, 0, { shared: true })
  t.after(() => close(fd))
  const again = openDatagram(loopback, port, { shared: true })
  close(again.fd)
  const batch = new DatagramBatch(fd, { most: 4, size: 64, timeoutMs: 50 })
  assert.equal(batch.receive(), 0)
  assert.equal(new DatagramBatch(fd, { most: 4, size: 64 }).receive(), 0)
  const clients = [createSocket('udp4'), createSocket('udp4')]
  t.after(() => clients.forEach((client) => client.close()))
  for (const [i, client] of clients.entries()) {
    client.send(`hello ${i}`, port, '127.0.0.1')
    await once(client, 'listening')
    client.send(`again ${i}`, port, '127.0.0.1')
  }
  await new Promise((resolve) => setTimeout(resolve, 20))
  const seen: string[] = []
  while (seen.length < 4) {
    const count = batch.receive()
    for (let i = 0; i < count; i++) {
      const text = batch.datagram(i).toString('latin1', 0, batch.lengthOf(i))
      seen.push(text)
      batch.setAnswer(i, i, batch.answer(i).write(`re: ${text}`))
    }
    batch.send(count)
  }
  assert.deepEqual(seen.toSorted(), ['again 0', 'again 1', 'hello 0', 'hello 1'])
  for (const [i, client] of clients.entries()) {
    const replies: string[] = []
    client.on('message', (bytes) => replies.push(String(bytes)))
    while (replies.length < 2) await once(client, 'message')
    assert.deepEqual(replies.toSorted(), [`re: again ${i}`, `re: hello ${i}`])
  }
  assert.ok(sendTo(fd, Buffer.from('x'), socketAddress(loopback, clients[0]!.address().port)))
  assert.equal(String((await once(clients[0]!, 'message'))[0]), 'x')
})

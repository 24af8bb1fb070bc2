import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps } from '#api/core.ts'
import type { Client } from '#client/client.ts'
import { limitWrites } from '#client/limit.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('so many at once, in order, also after failures', async () => {
  const sent: { readonly name: string; end(): void; fail(): void }[] = []
  const client = {
    create: (_: unknown, { metadata }: { metadata: { name: string } }) =>
      new Promise<void>((end, fail) => sent.push({ name: metadata.name, end, fail: () => fail(new Error('no')) })),
  } as unknown as Client
  const limited = limitWrites(client, 2)
  const done = ['a', 'b', 'c', 'd', 'e'].map((name) => limited.create(configMaps, { metadata: { name } }))
  const names = () => sent.map(({ name }) => name).join('')
  await turn()
  assert.equal(names(), 'ab')
  sent[0]!.fail()
  await assert.rejects(done[0]!, /no/)
  await turn()
  assert.equal(names(), 'abc')
  sent[1]!.end()
  sent[2]!.end()
  await turn()
  assert.equal(names(), 'abcde')
  for (const { end } of sent) end()
  await Promise.all(done.slice(1))
  void limited.create(configMaps, { metadata: { name: 'f' } })
  await turn()
  assert.equal(names(), 'abcdef')
})

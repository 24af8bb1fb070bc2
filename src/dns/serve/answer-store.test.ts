import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { readQuery } from '#dns/query.ts'
import { renderBody, type Body } from '#dns/reply.ts'
import { AnswerStore } from '#dns/serve/answer-store.ts'
import { PlainQuery } from '#dns/serve/plain-query.ts'
import { encodeMessage, type Edns, queryMessage } from '#dns/wire/message.ts'
import { seeded } from '#test/random.ts'

const requestFor = (name: string, type: number, edns?: Edns): Uint8Array =>
  encodeMessage(queryMessage(1, { name, type, class: 1 }, edns))

const asked = (query: PlainQuery, name: string, type = 1): PlainQuery => {
  const request = requestFor(name, type)
  assert.ok(query.read(request, request.length), name)
  return query
}
/** In bytes of its own, for it outlives the next. */
const bodyOf = (name: string, number: number, size = 4): Body => {
  const data = { kind: 'opaque', bytes: new Uint8Array(size).fill(number) } as const
  const body = renderBody(name, 0, true, { answers: [{ name, type: 99, class: 1, ttl: number, data }] })
  return { ...body, bytes: body.bytes.slice(0, body.end) }
}
const sameBody = ({ bytes, start, end, counts, rcode }: Body) => [[...bytes.subarray(start, end)], [...counts], rcode]
const origin = { zone: '.', plugin: 'kubernetes' }

test('plain query: it reads what the whole reader reads, and leaves to it what is not plain', () => {
  const seed = Number(process.env['FAIRWAY_SEED'] ?? Date.now())
  const random = seeded(seed)
  const plain = new PlainQuery(7)
  const edns: Edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] }
  let read = 0
  for (let round = 0; round < 20_000; round++) {
    const name = Array.from({ length: random.integer(0, 5) }, () => 'aB-9'.repeat(random.integer(1, 12))).join('.')
    const request = requestFor(name, random.integer(0, 300), random.next() < 0.5 ? edns : undefined)
    for (let flips = random.integer(0, 2); flips > 0; flips--)
      request[random.integer(0, request.length - 1)] = random.integer(0, 255)
    const length = random.next() < 0.1 ? random.integer(0, request.length) : request.length
    const where = `seed ${seed}, round ${round}: ${Buffer.from(request.subarray(0, length)).toString('hex')}`
    if (!plain.read(request, length)) continue
    read++
    const whole = readQuery(request, length)
    assert.ok(whole.kind === 'query', where)
    const { name: text, type, class: of, questionEnd } = whole.query
    assert.deepEqual([plain.name, plain.type, plain.class, plain.questionEnd], [text, type, of, questionEnd], where)
    assert.deepEqual(plain.edns === undefined, whole.query.edns === undefined, where)
    assert.deepEqual({ ...plain.edns }, { ...whole.query.edns }, where)
  }
  assert.ok(read > 2000, String(read))
})

test('answer store: whatever is kept, forgotten and asked for, it answers as a map of all of it would', () => {
  const seed = Number(process.env['FAIRWAY_SEED'] ?? Date.now())
  const random = seeded(seed)
  const store = new AnswerStore(1 << 30)
  const model = new Map<string, { readonly body: Body; readonly service: string; readonly until: number }>()
  const query = new PlainQuery(seed)
  const name = () => `n${random.integer(0, 3000)}.default.svc`
  for (let round = 0, now = 0; round < 30_000; round++, now += 10) {
    const where = `seed ${seed}, round ${round}`
    const chance = random.next()
    const which = name()
    if (chance < 0.5) {
      const body = bodyOf(which, random.integer(0, 255), random.pick([4, 16, 300]))
      const service = `default/s${random.integer(0, 400)}`
      const isTimed = random.next() < 0.3
      const forMs = random.integer(1, 20_000)
      store.keep(asked(query, which), body, isTimed ? { forMs, agedMs: 0 } : { service }, origin, now)
      model.set(which, { body, service: isTimed ? '' : service, until: isTimed ? now + forMs : Infinity })
    } else if (chance < 0.6) {
      const service = `default/s${random.integer(0, 400)}`
      store.forget([service])
      for (const [key, entry] of model) if (entry.service === service) model.delete(key)
    } else {
      const want = model.get(which)
      const found = store.find(asked(query, which), now)
      const isOver = want === undefined || want.until <= now
      assert.deepEqual(found && sameBody(found), isOver ? undefined : sameBody(want.body), where)
      if (isOver) model.delete(which)
    }
  }
  assert.equal(store.size, model.size)
  store.forget(['default/'])
  assert.equal(store.size, 0)
})

test('answer store: seconds are counted from where the times to live were whole, and not where they stand still', () => {
  const store = new AnswerStore(1 << 20)
  const query = new PlainQuery(1)
  store.keep(asked(query, 'a.test'), bodyOf('a.test', 60), { forMs: 60_000, agedMs: 700 }, origin, 1000)
  const ages = [1000, 1299, 1300, 2299, 2300, 60_999].map((now) => store.find(asked(query, 'a.test'), now)?.age)
  assert.deepEqual(ages, [0, 0, 1, 1, 2, 60])
  assert.equal(store.find(asked(query, 'a.test'), 61_000), undefined)
  store.keep(asked(query, 'a.test'), bodyOf('a.test', 60), { forMs: 60_000, agedMs: undefined }, origin, 1000)
  assert.equal(store.find(asked(query, 'a.test'), 60_000)?.age, 0)
})

test('answer store: when its room is full it begins anew', () => {
  const store = new AnswerStore(1 << 19)
  const query = new PlainQuery(1)
  for (let i = 0; i < 10_000; i++) {
    const name = `n${i}.test`
    store.keep(asked(query, name), bodyOf(name, i & 255, 200), { service: '' }, origin, 0)
    assert.equal(store.find(asked(query, name), 0)?.end !== undefined, true, name)
  }
  assert.ok(store.size > 500 && store.size < 2000, String(store.size))
})

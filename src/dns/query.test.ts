import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { readQuery, type Query } from '#dns/query.ts'
import { renderBody, replyLimit, writeRejection, writeReply } from '#dns/reply.ts'
import { decodeMessage, encodeMessage, rcodes, type Message, queryMessage } from '#dns/wire/message.ts'
import { recordTypes, type ResourceRecord } from '#dns/wire/record.ts'

const base = queryMessage(0x1234, { name: 'db.default.svc.cluster.local', type: recordTypes.A, class: 1 })
const edns = { udpSize: 4096, version: 0, dnssecOk: false, options: [] }
const addresses = (count: number): ResourceRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    name: 'db.default.svc.cluster.local',
    type: recordTypes.A,
    class: 1,
    ttl: 30,
    data: { kind: 'address', bytes: Uint8Array.of(10, 244, i >> 8, i & 255) },
  }))

function replyTo(message: Message, answers: ResourceRecord[], transport: 'udp' | 'tcp', rotate = 0) {
  const request = encodeMessage(message)
  const read = readQuery(request)
  assert.ok(read.kind === 'query')
  const body = renderBody(read.query.name, rcodes.NOERROR, true, { answers, additionals: [] })
  const out = new Uint8Array(65535)
  const length = writeReply(request, read.query, body, replyLimit(read.query, transport), rotate, out)
  return { length, message: decodeMessage(out.subarray(0, length))! }
}

test('query: what is no query is dropped, what is a bad one is rejected', () => {
  const rows: [string, Uint8Array, ReturnType<typeof readQuery>][] = [
    ['short', new Uint8Array(11), { kind: 'drop' }],
    ['a response', encodeMessage({ ...base, response: true }), { kind: 'drop' }],
    ['opcode', encodeMessage({ ...base, opcode: 5 }), { kind: 'reject', rcode: rcodes.NOTIMP }],
    ['no question', encodeMessage({ ...base, questions: [] }), { kind: 'reject', rcode: rcodes.FORMERR }],
    [
      'two questions',
      encodeMessage({ ...base, questions: [...base.questions, ...base.questions] }),
      { kind: 'reject', rcode: rcodes.FORMERR },
    ],
    ['cut short', encodeMessage(base).subarray(0, 20), { kind: 'reject', rcode: rcodes.FORMERR }],
  ]
  for (const [name, bytes, want] of rows) assert.deepEqual(readQuery(bytes), want, name)
  const out = new Uint8Array(512)
  const rejected = decodeMessage(
    out.subarray(0, writeRejection(encodeMessage({ ...base, opcode: 5 }), rcodes.NOTIMP, out)),
  )
  assert.deepEqual(
    [rejected?.id, rejected?.rcode, rejected?.response, rejected?.opcode],
    [0x1234, rcodes.NOTIMP, true, 5],
  )
})

test('query: the question comes back as it was asked, letter case too', () => {
  const request = encodeMessage(base)
  request[13] = 'D'.charCodeAt(0)
  const read = readQuery(request)
  assert.ok(read.kind === 'query' && read.query.name === base.questions[0]!.name)
  const out = new Uint8Array(512)
  const body = renderBody(read.query.name, rcodes.NOERROR, true, { answers: addresses(1) })
  writeReply(request, read.query, body, 512, 0, out)
  assert.equal(out[13], 'D'.charCodeAt(0))
})

test('query: replies fit, say so when cut, and keep their OPT record', () => {
  const rows: [
    name: string,
    message: Message,
    transport: 'udp' | 'tcp',
    most: number,
    truncated: boolean,
    records: number,
  ][] = [
    ['plain UDP', base, 'udp', 512, true, 29],
    ['EDNS', { ...base, edns }, 'udp', 4096, false, 100],
    ['EDNS below the least size', { ...base, edns: { ...edns, udpSize: 100 } }, 'udp', 512, true, 28],
    ['TCP', base, 'tcp', 65535, false, 100],
  ]
  for (const [name, message, transport, most, truncated, records] of rows) {
    const reply = replyTo(message, addresses(100), transport)
    assert.ok(reply.length <= most, name)
    assert.equal(reply.message.truncated, truncated, name)
    assert.equal(reply.message.answers.length, records, name)
    assert.equal(reply.message.edns === undefined, message.edns === undefined, name)
  }
})

test('query: every rotation sends the same set, each first in turn', () => {
  const firsts = new Set<number>()
  for (let rotate = 0; rotate < 5; rotate++) {
    const last = replyTo(base, addresses(5), 'udp', rotate).message.answers.map((record) =>
      record.data.kind === 'address' ? record.data.bytes[3]! : -1,
    )
    firsts.add(last[0]!)
    assert.deepEqual(last.toSorted(), [0, 1, 2, 3, 4])
  }
  assert.equal(firsts.size, 5)
})

test('query: an unknown EDNS version is told ours', () => {
  const request = encodeMessage({ ...base, edns: { ...edns, version: 1 } })
  const read = readQuery(request)
  assert.ok(read.kind === 'query' && read.query.edns?.version === 1)
  const out = new Uint8Array(512)
  const body = renderBody(read.query.name, rcodes.BADVERS, false, {})
  const reply = decodeMessage(out.subarray(0, writeReply(request, read.query as Query, body, 512, 0, out)))
  assert.equal(reply?.rcode, rcodes.BADVERS)
  assert.equal(reply?.edns?.version, 0)
})

test('query: options that mean something to the client come back, where there is room', () => {
  const cookie = { code: 10, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }
  const subnet = { code: 8, bytes: Uint8Array.of(0, 1, 24, 0, 10, 0, 0) }
  const asked = { ...base, edns: { ...edns, options: [subnet, cookie] } }
  assert.deepEqual(replyTo(asked, addresses(1), 'udp').message.edns?.options, [cookie])
  const padded = { ...base, edns: { ...edns, udpSize: 512, options: [{ code: 12, bytes: new Uint8Array(600) }] } }
  const reply = replyTo(padded, addresses(1), 'udp')
  assert.deepEqual([reply.message.edns?.options, reply.message.answers.length, reply.length <= 512], [[], 1, true])
  const broken = encodeMessage(asked)
  broken[broken.length - 9] = 200
  assert.deepEqual(readQuery(broken), { kind: 'reject', rcode: rcodes.FORMERR })
})

import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMessage, encodeMessage, type Message } from '#dns/wire/message.ts'
import { decodeName, encodeName } from '#dns/wire/name.ts'
import { recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import { seeded } from '#test/random.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const record = (name: string, type: number, data: ResourceRecord['data']): ResourceRecord => ({
  name,
  type,
  class: 1,
  ttl: 30,
  data,
})

const message: Message = {
  id: 0xbeef,
  response: true,
  opcode: 0,
  authoritative: true,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: true,
  checkingDisabled: false,
  rcode: 0,
  questions: [{ name: 'web.default.svc.cluster.local', type: recordTypes.SRV, class: 1 }],
  answers: [
    record('web.default.svc.cluster.local', recordTypes.SRV, {
      kind: 'srv',
      priority: 0,
      weight: 100,
      port: 80,
      target: 'web.default.svc.cluster.local',
    }),
    record('a.example', recordTypes.CNAME, { kind: 'name', target: 'b.example' }),
    record('b.example', recordTypes.A, { kind: 'address', bytes: Uint8Array.of(192, 0, 2, 1) }),
    record('b.example', recordTypes.MX, { kind: 'mx', preference: 10, target: 'mail.example' }),
    record('b.example', 99, { kind: 'opaque', bytes: Uint8Array.of(1, 2, 3) }),
  ],
  authorities: [
    record('cluster.local', recordTypes.SOA, {
      kind: 'soa',
      soa: {
        mname: 'ns.dns.cluster.local',
        rname: 'hostmaster.cluster.local',
        serial: 4_000_000_000,
        refresh: 7200,
        retry: 1800,
        expire: 86400,
        minimum: 30,
      },
    }),
  ],
  additionals: [
    record('web.default.svc.cluster.local', recordTypes.AAAA, { kind: 'address', bytes: new Uint8Array(16).fill(7) }),
  ],
  edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [{ code: 10, bytes: Uint8Array.of(1, 2) }] },
}

test('message: what is encoded is decoded again', () => {
  assert.deepEqual(decodeMessage(encodeMessage(message)), message)
})

test('message: names are compressed, SRV targets are not', () => {
  const bytes = hex(
    encodeMessage({ ...message, answers: message.answers.slice(0, 1), authorities: [], additionals: [] }),
  )
  const name = hex(encodeName('web.default.svc.cluster.local')!)
  assert.equal(bytes.split(name).length - 1, 2)
  assert.ok(bytes.includes('c00c0021'))
})

test('message: of many names each ends at the first suffix that stands before it', () => {
  const seed = Number(process.env['FAIRWAY_SEED'] ?? Date.now())
  const random = seeded(seed)
  const { edns: _, ...rest } = message
  for (let round = 0; round < 200; round++) {
    const name = () => Array.from({ length: random.integer(0, 4) }, () => `l${random.integer(0, 99)}`).join('.')
    const names = Array.from({ length: random.integer(0, 400) }, () => [name(), name()] as const)
    const answers = names.map(([owner, target]) => record(owner, recordTypes.CNAME, { kind: 'name', target }))
    const sent: Message = {
      ...rest,
      questions: [{ name: name(), type: 1, class: 1 }],
      answers,
      authorities: [],
      additionals: [],
    }
    const bytes = encodeMessage(sent)
    const where = `seed ${seed}, round ${round}`
    assert.deepEqual(decodeMessage(bytes), sent, where)
    const sizes = compressedSizes([sent.questions[0]!.name, ...names.flat()])
    assert.equal(bytes.length, 12 + 4 + 10 * answers.length + sizes, where)
  }
})

/** Bytes that these names have in one message, by RFC 1035 section 4.1.4. */
function compressedSizes(names: readonly string[]): number {
  const known = new Set<string>()
  return names.reduce((sum, name) => {
    let rest = name.split('.').filter(Boolean)
    for (; rest.length > 0; rest = rest.slice(1)) {
      if (known.has(rest.join('.'))) return sum + 2
      known.add(rest.join('.'))
      sum += rest[0]!.length + 1
    }
    return sum + 1
  }, 0)
}

test('name: text and wire are one to one', () => {
  const rows: [string, string][] = [
    ['', '00'],
    ['a.b', '0161016200'],
    ['x\\046y', '03782e7900'],
    ['\\000\\255', '0200ff00'],
    ['\\092', '015c00'],
  ]
  for (const [text, wire] of rows) {
    assert.equal(hex(encodeName(text)!), wire, text)
    assert.equal(decodeName(Buffer.from(wire, 'hex'), 0)?.text, text)
  }
  assert.equal(decodeName(Buffer.from('03574542', 'hex').subarray(0, 3), 0), undefined)
  assert.equal(decodeName(Buffer.from('0357454200', 'hex'), 0)?.text, 'web')
})

test('name: what is no name is undefined', () => {
  for (const text of ['a..b', `${'x'.repeat(64)}.y`, Array.from({ length: 64 }, () => 'abcd').join('.'), '\\25', 'é'])
    assert.equal(encodeName(text), undefined, text)
  const loop = Buffer.from('000000000000000000000000c00c', 'hex')
  assert.equal(decodeName(loop, 12), undefined)
  const forward = Buffer.from('c00200', 'hex')
  assert.equal(decodeName(forward, 0), undefined)
})

test('message: no bytes make decode throw', () => {
  const seed = Number(process.env['FAIRWAY_SEED'] ?? 1)
  const rounds = process.env['FAIRWAY_SOAK'] === '1' ? 1_000_000 : 20_000
  const { next: random } = seeded(seed)
  const good = encodeMessage(message)
  let decoded = 0
  for (let i = 0; i < rounds; i++) {
    const bytes = Uint8Array.from(good.subarray(0, random() < 0.2 ? Math.floor(random() * good.length) : good.length))
    for (let flips = 1 + Math.floor(random() * 4); flips > 0 && bytes.length > 0; flips--)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
    try {
      const result = decodeMessage(bytes)
      if (result !== undefined) {
        decoded++
        encodeMessage(result)
      }
    } catch (error) {
      assert.fail(`seed ${seed}, round ${i}: ${hex(bytes)}: ${String(error)}`)
    }
  }
  assert.ok(decoded > 0)
})

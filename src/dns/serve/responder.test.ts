// Any bytes that come, through all that a query passes.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { createResolver, type Server } from '#dns/resolver.ts'
import { createResponder, type Asked } from '#dns/serve/responder.ts'
import { encodeMessage, type Message, queryMessage } from '#dns/wire/message.ts'
import { recordTypes } from '#dns/wire/record.ts'
import { Zone } from '#dns/zone.ts'
import { seeded } from '#test/random.ts'

const soaking = process.env['FAIRWAY_SOAK'] === '1'
const names = [
  'web.default.svc.cluster.local',
  'db.default.svc.cluster.local',
  '1.0.96.10.in-addr.arpa',
  'x.svc.cluster.local',
]

function clusterServer(): Server {
  const zone = new Zone()
  zone.synced = true
  zone.apply({ kind: 'namespace', key: 'default', value: 'default' })
  const base = { namespace: 'default', ports: [{ name: 'http', protocol: 'tcp', port: 80 }] }
  const web = { ...base, name: 'web', kind: 'virtual' as const, clusterIps: ['10.96.0.1'] }
  zone.apply({ kind: 'service', key: 'default/web', value: web })
  zone.apply({ kind: 'service', key: 'default/db', value: { ...base, name: 'db', kind: 'headless', clusterIps: [] } })
  const endpoints = Array.from({ length: 300 }, (_, i) => ({ addresses: [`10.244.${i >> 8}.${i & 255}`] }))
  zone.apply({ kind: 'slice', key: 'default/db-1', value: { ...base, service: 'db', endpoints } })
  const options = {
    domain: 'cluster.local',
    reverseZones: ['in-addr.arpa'],
    ttl: 30,
    pods: 'insecure' as const,
    namespaces: [],
    endpointPodNames: false,
    ignoreEmptyServices: false,
    fallthrough: [],
    localIps: [],
  }
  const config = {
    zones: [''],
    port: 53,
    bind: [],
    errors: false,
    log: [],
    forward: [],
    loop: false,
    loadbalance: true,
    rewrite: [],
  }
  return { config, kubernetes: { zone, options }, forwards: [] }
}

const queryFor = (name: string, type: number, udpSize: number | undefined): Message => {
  const edns = udpSize === undefined ? undefined : { udpSize, version: 0, dnssecOk: false, options: [] }
  return queryMessage(7, { name, type, class: 1 }, edns)
}

test('responder: whatever the bytes, no throw, and no answer that is larger than allowed', () => {
  const seed = Number(process.env['FAIRWAY_SEED'] ?? Date.now())
  const random = seeded(seed)
  const responder = createResponder(createResolver([clusterServer()]))
  const types = Object.values(recordTypes)
  const asked: Asked = { transport: 'udp', family: '1', client: '192.0.2.1:1' }
  const out = Buffer.alloc(4096)
  let answered = 0
  for (let round = 0; round < (soaking ? 1_000_000 : 20_000); round++) {
    const udpSize = random.pick([undefined, 0, 512, 600, 1232, 4096, 65_535])
    const request = Buffer.from(encodeMessage(queryFor(random.pick(names), random.pick(types), udpSize)))
    for (let flips = random.integer(0, 4); flips > 0; flips--)
      request[random.integer(0, request.length - 1)] = random.integer(0, 255)
    const length = random.next() < 0.1 ? random.integer(0, request.length) : request.length
    const where = `seed ${seed}, round ${round}: ${request.toString('hex', 0, length)}`
    let size: number | Promise<number>
    try {
      size = responder.respond(request, length, asked, out)
    } catch (error) {
      assert.fail(`${where}: ${String(error)}`)
    }
    assert.ok(typeof size === 'number', where)
    if (size === 0) continue
    answered++
    // The size that a client may name stands in an OPT record, which mutations may have made anything.
    assert.ok(size >= 12 && size <= 4096, where)
    if (udpSize === undefined && request[11] === 0) assert.ok(size <= 512, where)
    assert.equal(out.readUInt16BE(0), request.readUInt16BE(0), where)
    assert.ok((out[2]! & 0x80) !== 0, where)
  }
  assert.ok(answered > 1000)
})

test('responder: nobody gets more by asking for ANY', () => {
  const responder = createResponder(createResolver([clusterServer()]))
  const request = Buffer.from(encodeMessage(queryFor('db.default.svc.cluster.local', recordTypes.ANY, 4096)))
  const out = Buffer.alloc(4096)
  const asked: Asked = { transport: 'udp', family: '1', client: '' }
  const size = responder.respond(request, request.length, asked, out) as number
  assert.ok(size < 200, String(size))
})

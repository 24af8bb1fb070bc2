// The records of the Kubernetes DNS specification 1.1.0, and CoreDNS's table of NXDOMAIN and NODATA, line by line.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer } from '#dns/answer.ts'
import type { PortView, ServiceView, SliceView } from '#dns/state.ts'
import { recordTypes, type RecordTypeName } from '#dns/wire/record.ts'
import { renderRecord } from '#dns/wire/text.ts'
import { Zone, type ZoneOptions } from '#dns/zone.ts'

const options: ZoneOptions = {
  domain: 'cluster.local',
  reverseZones: ['in-addr.arpa', 'ip6.arpa'],
  ttl: 30,
  pods: 'insecure',
  namespaces: [],
  endpointPodNames: false,
  ignoreEmptyServices: false,
  fallthrough: ['in-addr.arpa', 'ip6.arpa'],
  localIps: ['10.244.0.2'],
}
const port = (name: string, number: number, protocol = 'tcp'): PortView => ({ name, protocol, port: number })

function exampleZone(): Zone {
  const zone = new Zone()
  zone.synced = true
  const service = (name: string, rest: Partial<ServiceView>) => {
    const value: ServiceView = { namespace: 'default', name, kind: 'virtual', clusterIps: [], ports: [], ...rest }
    zone.apply({ kind: 'service', key: `${value.namespace}/${name}`, value })
  }
  const slice = (key: string, value: SliceView) => zone.apply({ kind: 'slice', key, value })
  for (const name of ['default', 'kube-system', 'empty']) zone.apply({ kind: 'namespace', key: name, value: name })
  service('web', { clusterIps: ['10.96.0.7'], ports: [port('http', 80), port('admin', 9000)] })
  service('dual', { clusterIps: ['10.96.0.8', 'fd00::8'], ports: [port('', 80)] })
  service('db', { kind: 'headless', ports: [port('sql', 5432)] })
  slice('default/db-1', {
    namespace: 'default',
    service: 'db',
    ports: [port('sql', 15432)],
    endpoints: [
      { addresses: ['10.244.1.5'], hostname: 'db-0', pod: 'db-0' },
      { addresses: ['10.244.2.6'], pod: 'db-x' },
    ],
  })
  service('quiet', { kind: 'headless', ports: [port('', 80)] })
  service('portless', { kind: 'headless' })
  slice('default/portless-1', {
    namespace: 'default',
    service: 'portless',
    ports: [{ name: '', protocol: '', port: undefined }],
    endpoints: [{ addresses: ['10.244.1.9'] }],
  })
  service('out', { kind: 'alias', externalName: 'my.database.example.com' })
  service('in', { kind: 'alias', externalName: 'web.default.svc.cluster.local' })
  service('lost', { kind: 'alias', externalName: 'gone.default.svc.cluster.local' })
  service('self', { kind: 'alias', externalName: 'self.default.svc.cluster.local' })
  service('ping', { kind: 'alias', externalName: 'pong.default.svc.cluster.local' })
  service('pong', { kind: 'alias', externalName: 'ping.default.svc.cluster.local' })
  service('kube-dns', { namespace: 'kube-system', clusterIps: ['10.96.0.10'], ports: [port('dns', 53, 'udp')] })
  slice('kube-system/kube-dns-1', {
    namespace: 'kube-system',
    service: 'kube-dns',
    ports: [port('dns', 53, 'udp')],
    endpoints: [{ addresses: ['10.244.0.2'] }],
  })
  slice('default/web-1', {
    namespace: 'default',
    service: 'web',
    ports: [port('http', 8080)],
    endpoints: [{ addresses: ['10.244.1.7'] }],
  })
  return zone
}

function ask(name: string, type: RecordTypeName, change: Partial<ZoneOptions> = {}): string[] {
  const found = answer(exampleZone(), { ...options, ...change }, name, recordTypes[type])
  if (found.kind !== 'records') return [found.kind]
  const alias = found.alias === undefined ? [] : [`-> ${found.alias}`]
  return [
    ...found.answers.map(renderRecord),
    ...alias,
    ...found.additionals.map((record) => `+ ${renderRecord(record)}`),
  ]
}

const z = 'svc.cluster.local'
const rows: readonly (readonly [name: string, type: RecordTypeName, want: readonly string[]])[] = [
  ['dns-version.cluster.local', 'TXT', ['dns-version.cluster.local. 28800 IN TXT "1.1.0"']],
  [`web.default.${z}`, 'A', [`web.default.${z}. 30 IN A 10.96.0.7`]],
  [`web.default.${z}`, 'AAAA', ['nodata']],
  [`web.default.${z}`, 'TXT', ['nodata']],
  [`web.default.${z}`, 'MX', ['nodata']],
  [`web.default.${z}`, 'HTTPS', ['nodata']],
  [`web.default.${z}`, 'ANY', ['nodata']],
  [`dual.default.${z}`, 'A', [`dual.default.${z}. 30 IN A 10.96.0.8`]],
  [`dual.default.${z}`, 'AAAA', [`dual.default.${z}. 30 IN AAAA fd00::8`]],
  [
    `_http._tcp.web.default.${z}`,
    'SRV',
    [`_http._tcp.web.default.${z}. 30 IN SRV 0 100 80 web.default.${z}.`, `+ web.default.${z}. 30 IN A 10.96.0.7`],
  ],
  [
    `web.default.${z}`,
    'SRV',
    [
      `web.default.${z}. 30 IN SRV 0 50 80 web.default.${z}.`,
      `web.default.${z}. 30 IN SRV 0 50 9000 web.default.${z}.`,
      `+ web.default.${z}. 30 IN A 10.96.0.7`,
    ],
  ],
  [`_http._udp.web.default.${z}`, 'SRV', ['nxdomain']],
  [`_none._tcp.web.default.${z}`, 'SRV', ['nxdomain']],
  [`db.default.${z}`, 'A', [`db.default.${z}. 30 IN A 10.244.1.5`, `db.default.${z}. 30 IN A 10.244.2.6`]],
  [`db-0.db.default.${z}`, 'A', [`db-0.db.default.${z}. 30 IN A 10.244.1.5`]],
  [`10-244-2-6.db.default.${z}`, 'A', [`10-244-2-6.db.default.${z}. 30 IN A 10.244.2.6`]],
  [`db-9.db.default.${z}`, 'A', ['nxdomain']],
  [
    `_sql._tcp.db.default.${z}`,
    'SRV',
    [
      `_sql._tcp.db.default.${z}. 30 IN SRV 0 50 15432 db-0.db.default.${z}.`,
      `_sql._tcp.db.default.${z}. 30 IN SRV 0 50 15432 10-244-2-6.db.default.${z}.`,
      `+ db-0.db.default.${z}. 30 IN A 10.244.1.5`,
      `+ 10-244-2-6.db.default.${z}. 30 IN A 10.244.2.6`,
    ],
  ],
  [`10-244-1-7.web.default.${z}`, 'A', [`10-244-1-7.web.default.${z}. 30 IN A 10.244.1.7`]],
  [`quiet.default.${z}`, 'A', ['nxdomain']],
  [`portless.default.${z}`, 'A', [`portless.default.${z}. 30 IN A 10.244.1.9`]],
  [`portless.default.${z}`, 'SRV', ['nodata']],
  [`out.default.${z}`, 'A', [`out.default.${z}. 30 IN CNAME my.database.example.com.`, '-> my.database.example.com']],
  [`out.default.${z}`, 'CNAME', [`out.default.${z}. 30 IN CNAME my.database.example.com.`]],
  [`out.default.${z}`, 'SRV', ['nodata']],
  [`x.out.default.${z}`, 'A', ['nxdomain']],
  [`_a._tcp.out.default.${z}`, 'SRV', ['nxdomain']],
  [`in.default.${z}`, 'A', [`in.default.${z}. 30 IN CNAME web.default.${z}.`, `web.default.${z}. 30 IN A 10.96.0.7`]],
  [`in.default.${z}`, 'AAAA', ['nodata']],
  [`lost.default.${z}`, 'A', ['nodata']],
  [`self.default.${z}`, 'A', ['nodata']],
  [`self.default.${z}`, 'CNAME', [`self.default.${z}. 30 IN CNAME self.default.${z}.`]],
  [`ping.default.${z}`, 'A', ['nodata']],
  [`none.default.${z}`, 'A', ['nxdomain']],
  [`none.default.${z}`, 'TXT', ['nxdomain']],
  ['cluster.local', 'A', ['nodata']],
  [z, 'A', ['nodata']],
  ['pod.cluster.local', 'AAAA', ['nodata']],
  [`empty.${z}`, 'A', ['nodata']],
  [`nowhere.${z}`, 'A', ['nxdomain']],
  [`web.nowhere.${z}`, 'A', ['nxdomain']],
  ['foo.cluster.local', 'A', ['nxdomain']],
  [`a.b.c.web.default.${z}`, 'A', ['nxdomain']],
  ['10-244-1-5.default.pod.cluster.local', 'A', ['10-244-1-5.default.pod.cluster.local. 30 IN A 10.244.1.5']],
  ['fd00--5.default.pod.cluster.local', 'AAAA', ['fd00--5.default.pod.cluster.local. 30 IN AAAA fd00::5']],
  ['10-244-1-5.default.pod.cluster.local', 'AAAA', ['nodata']],
  ['name.default.pod.cluster.local', 'A', ['nxdomain']],
  ['10-244-1-5.nowhere.pod.cluster.local', 'A', ['nxdomain']],
  ['7.0.96.10.in-addr.arpa', 'PTR', [`7.0.96.10.in-addr.arpa. 30 IN PTR web.default.${z}.`]],
  ['5.1.244.10.in-addr.arpa', 'PTR', [`5.1.244.10.in-addr.arpa. 30 IN PTR db-0.db.default.${z}.`]],
  ['9.9.9.9.in-addr.arpa', 'PTR', ['pass']],
  ['7.0.96.10.in-addr.arpa', 'A', ['nodata']],
  ['in-addr.arpa', 'A', ['nodata']],
  ['ip6.arpa', 'PTR', ['nodata']],
  ['10.in-addr.arpa', 'PTR', ['pass']],
  [
    `8.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`,
    'PTR',
    [`8.${'0.'.repeat(27)}0.0.d.f.ip6.arpa. 30 IN PTR dual.default.${z}.`],
  ],
  ['ns.dns.cluster.local', 'A', ['ns.dns.cluster.local. 30 IN A 10.96.0.10']],
  [
    'cluster.local',
    'NS',
    [`cluster.local. 30 IN NS kube-dns.kube-system.${z}.`, `+ kube-dns.kube-system.${z}. 30 IN A 10.96.0.10`],
  ],
  [
    'cluster.local',
    'SOA',
    ['cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30'],
  ],
  ['cluster.local', 'AXFR', ['refused']],
  ['example.com', 'A', ['pass']],
]

test('answer: the decision table', () => {
  for (const [name, type, want] of rows) assert.deepEqual(ask(name, type), want, `${type} ${name}`)
})

test('answer: options', () => {
  const pod = '10-244-1-5.default.pod.cluster.local'
  assert.deepEqual(ask(pod, 'A', { pods: 'disabled' }), ['nxdomain'])
  assert.deepEqual(ask(pod, 'A', { pods: 'verified' }), ['nxdomain'])
  assert.deepEqual(ask(`db-x.db.default.${z}`, 'A', { endpointPodNames: true }), [
    `db-x.db.default.${z}. 30 IN A 10.244.2.6`,
  ])
  assert.deepEqual(ask(`dual.default.${z}`, 'A', { ignoreEmptyServices: true }), ['nxdomain'])
  assert.deepEqual(ask(`web.default.${z}`, 'A', { ignoreEmptyServices: true }), [`web.default.${z}. 30 IN A 10.96.0.7`])
  assert.deepEqual(ask(`none.default.${z}`, 'A', { fallthrough: [''] }), ['pass'])
})

test('answer: before the first sync nothing is denied', () => {
  const zone = new Zone()
  assert.equal(answer(zone, options, `web.default.${z}`, recordTypes.A).kind, 'servfail')
  assert.equal(answer(zone, options, 'cluster.local', recordTypes.A).kind, 'nodata')
})

test('answer: six endpoints weigh 16 each, a hundred and more weigh 1', () => {
  const zone = exampleZone()
  for (const [count, weight] of [
    [6, 16],
    [150, 1],
  ] as const) {
    const endpoints = Array.from({ length: count }, (_, i) => ({
      addresses: [`10.244.${i >> 7}.${i & 127}`],
      hostname: `h${i}`,
    }))
    zone.apply({
      kind: 'slice',
      key: 'default/quiet-1',
      value: { namespace: 'default', service: 'quiet', ports: [port('', 80)], endpoints },
    })
    const found = answer(zone, options, `quiet.default.${z}`, recordTypes.SRV)
    assert.ok(found.kind === 'records')
    assert.equal(found.answers.length, count)
    for (const record of found.answers) assert.ok(record.data.kind === 'srv' && record.data.weight === weight)
  }
})

// What an API server that checks nothing may send, and a clock that jumps: the rules of all others stay right, and the bad
// object is named in an Event.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { connect } from '#client/client.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { readSysctl } from '#kernel/sysctl.ts'
import { run } from '#proxy/main.ts'
import { proxyDefaults } from '#proxy/options.ts'
import { FakeKubernetes, type FakeObject } from '#test/fake-kubernetes.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['nft'] })
const shown = () => spawnSync('nft', ['list', 'table', 'ip', 'fairway-proxy'], { encoding: 'utf8' }).stdout

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (holds()) return
    await sleep(10)
  }
  assert.fail(`never happened: ${what}\n${shown()}`)
}

const service = (name: string, spec: object) =>
  ({ metadata: { namespace: 'demo', name, uid: name }, spec }) as FakeObject
const slice = (
  of: string,
  name: string,
  endpoints: readonly object[],
  ports: readonly object[],
  addressType = 'IPv4',
) =>
  ({
    metadata: {
      namespace: 'demo',
      name,
      uid: name,
      labels: { 'kubernetes.io/service-name': of },
    } as FakeObject['metadata'],
    addressType,
    endpoints,
    ports,
  }) as FakeObject
const ready = (...addresses: string[]) => ({ addresses, conditions: { ready: true } })
const web = { name: 'web', port: 80, protocol: 'TCP' }
const long = 'x'.repeat(253)

test('bad input: named in an Event, and nothing else is lost', { skip }, async () => {
  await using fake = await FakeKubernetes.start()
  const objects: readonly (readonly [string, FakeObject])[] = [
    ['services', service('good', { clusterIP: '10.96.0.1', ports: [web] })],
    ['endpointslices', slice('good', 'good-1', [ready('10.244.0.1')], [{ name: 'web', port: 8080 }])],
    [
      'services',
      service('zero', {
        clusterIP: '10.96.0.2',
        ports: [
          { ...web, port: 0 },
          { ...web, name: 'b', port: 65536 },
          { ...web, name: 'c', port: 81 },
        ],
      }),
    ],
    ['services', service('twice', { clusterIP: '10.96.0.3', ports: [web, { ...web, name: 'again' }] })],
    [
      'services',
      service('far', {
        clusterIP: '10.96.0.4',
        externalIPs: ['300.1.1.1', 'fd00::zz'],
        loadBalancerSourceRanges: ['10.0.0.0/40'],
        ports: [web],
      }),
    ],
    ['services', service(long, { clusterIP: '10.96.0.5', ports: [{ ...web, name: 'n'.repeat(253) }] })],
    ['services', service('clash', { clusterIP: '10.96.0.1', ports: [web] })],
    ['services', service('odd', { clusterIP: 'not an address', ports: [{ ...web, protocol: 'ICMP' }] })],
    [
      'endpointslices',
      slice(
        'twice',
        'twice-1',
        [ready('fd00::7'), ready('10.244.0.7'), ready('10.244.0.7'), { addresses: [] }],
        [
          { name: 'web', port: 8080 },
          { name: 'web', port: 70000 },
        ],
      ),
    ],
    ['endpointslices', slice('twice', 'nameless', [{}], [], 'IPv5')],
    ['endpointslices', slice(long, 'long-1', [ready('10.244.0.9')], [{ name: 'n'.repeat(253), port: 1 }])],
  ]
  for (const [kind, object] of objects) fake.put(kind, object)
  const controller = new AbortController()
  const client = connect({ server: fake.url })
  let offsetMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + offsetMs }
  const off = { healthz: undefined, metrics: undefined, conntrack: { ...proxyDefaults.conntrack, maxPerCore: 0 } }
  const options = { ...proxyDefaults, ...off, client, nodeName: 'node-1', clusterCidrs: ['10.244.0.0/16'] }
  const ended = run(options, { signal: controller.signal, log: silentLog, clock, registry: createRegistry() })
  try {
    await until('the good one', () => shown().includes('comment "demo/good:web" : 10.244.0.1 . 8080'))
    assert.equal(readSysctl('net/netfilter/nf_conntrack_tcp_timeout_close_wait'), '3600')
    const text = shown()
    for (const part of [
      '10.96.0.2 . tcp . 81 ',
      '10.96.0.3 . tcp . 80 ',
      '10.96.0.4 . tcp . 80 ',
      '10.96.0.5 . tcp . 80 ',
      'comment "demo/twice:web" : 10.244.0.7 . 8080',
      ': 10.244.0.9 . 1',
    ])
      assert.ok(text.includes(part), `${part}\n${text}`)
    assert.equal(text.match(/ : 10\.244\.0\.7 \. 8080/g)?.length, 1, 'a duplicate counts once')
    assert.equal(text.match(/10\.96\.0\.1 \. tcp \. 80 comment "demo\/(good|clash):web" : 0x0/g)?.length, 1)
    const told = () =>
      fake
        .list('events')
        .map((event) => [(event['involvedObject'] as { name: string }).name, String(event['message'])] as const)
    for (const [name, words] of [
      ['zero', ['port 0 is not between 1 and 65535', 'port 65536 is not between 1 and 65535']],
      ['twice', ['port 80/TCP stands there twice']],
      ['far', ['external IP 300.1.1.1 is not an IP address', 'source range 10.0.0.0/40 is not a CIDR']],
      ['odd', ['cluster IP not an address is not an IP address', 'unknown protocol ICMP']],
      [
        'twice-1',
        [
          'endpoint address fd00::7 is not IPv4',
          'endpoint address (none) is not IPv4',
          'endpoint port web is not usable',
        ],
      ],
    ] as const)
      await until(`Event of ${name}`, () =>
        told().some(([about, message]) => about === name && words.every((word) => message.includes(word))),
      )

    for (const [jumpMs, ip] of [
      [86_400_000, '10.244.0.21'],
      [-2 * 86_400_000, '10.244.0.22'],
    ] as const) {
      offsetMs += jumpMs
      fake.put('endpointslices', slice('good', 'good-1', [ready(ip)], [{ name: 'web', port: 8080 }]))
      await until(`after the clock jumped by ${jumpMs}`, () =>
        shown().includes(`comment "demo/good:web" : ${ip} . 8080`),
      )
    }
  } finally {
    controller.abort()
    await ended.finally(() => client.close())
  }
})

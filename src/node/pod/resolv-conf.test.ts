import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderResolvConf } from '#lib/resolv-conf.ts'
import { planDns } from '#node/pod/resolv-conf.ts'

const cluster = { servers: ['10.96.0.10'], domain: 'cluster.local' }
const node = { servers: ['9.9.9.9'], searches: ['example.com'], options: ['edns0'] }
const inCluster = `search shop.svc.cluster.local svc.cluster.local cluster.local example.com
nameserver 10.96.0.10
options ndots:5
`
const onNode = 'search example.com\nnameserver 9.9.9.9\noptions edns0\n'

for (const [name, spec, want] of [
  ['ClusterFirst is the default', {}, inCluster],
  ['ClusterFirst on the host network is the node', { hostNetwork: true, dnsPolicy: 'ClusterFirst' }, onNode],
  ['ClusterFirstWithHostNet', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, inCluster],
  ['Default', { dnsPolicy: 'Default' }, onNode],
  [
    'None and a configuration of its own',
    {
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['1.1.1.1'],
        searches: ['a.b'],
        options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
      },
    },
    'search a.b\nnameserver 1.1.1.1\noptions ndots:2 edns0\n',
  ],
  [
    'a configuration of its own is merged, its options win',
    { dnsConfig: { nameservers: ['10.96.0.10', '1.1.1.1'], options: [{ name: 'ndots', value: '1' }] } },
    `search shop.svc.cluster.local svc.cluster.local cluster.local example.com
nameserver 10.96.0.10
nameserver 1.1.1.1
options ndots:1
`,
  ],
] as const)
  test(`resolv.conf: ${name}`, () => {
    const { dns, warnings } = planDns(
      { metadata: { namespace: 'shop' }, spec: { containers: [], ...spec } },
      cluster,
      node,
    )
    assert.equal(renderResolvConf(dns), want)
    assert.deepEqual(warnings, [])
  })

test('resolv.conf: limits', () => {
  const dnsConfig = {
    nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'],
    searches: [...Array(40).keys()].map((n) => `d${n}.example`),
  }
  const pod = { metadata: { namespace: 'x' }, spec: { containers: [], dnsPolicy: 'None', dnsConfig } }
  const { dns, warnings } = planDns(pod, cluster, node)
  assert.deepEqual(dns.servers, ['1.1.1.1', '2.2.2.2', '3.3.3.3'])
  assert.equal(dns.searches.length, 32)
  assert.equal(
    warnings[0],
    'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3',
  )
  assert.match(warnings[1]!, /^Search Line limits were exceeded, some search paths have been omitted, /)
})

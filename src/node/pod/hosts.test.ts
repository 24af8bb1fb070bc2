import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostnameOf, renderHosts, renderNodeHosts } from '#node/pod/hosts.ts'

const head = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`

for (const [name, input, want] of [
  ['plain', { ips: ['10.244.0.5'], hostname: 'web-1', domain: '', aliases: [] }, `${head}10.244.0.5\tweb-1\n`],
  [
    'with a subdomain, both families',
    { ips: ['10.244.0.5', 'fd00::5'], hostname: 'web-1', domain: 'web.shop.svc.cluster.local', aliases: [] },
    `${head}10.244.0.5\tweb-1.web.shop.svc.cluster.local\tweb-1\nfd00::5\tweb-1.web.shop.svc.cluster.local\tweb-1\n`,
  ],
  [
    'with aliases',
    { ips: ['10.244.0.5'], hostname: 'a', domain: '', aliases: [{ ip: '1.2.3.4', hostnames: ['foo', 'bar'] }] },
    `${head}10.244.0.5\ta\n\n# Entries added by HostAliases.\n1.2.3.4\tfoo\tbar\n`,
  ],
] as const)
  test(`hosts file: ${name}`, () => assert.equal(renderHosts(input), want))

test('hosts file on the node network', () => {
  assert.equal(
    renderNodeHosts('127.0.0.1 localhost\n', [{ ip: '1.2.3.4', hostnames: ['foo'] }]),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n\n# Entries added by HostAliases.\n1.2.3.4\tfoo\n',
  )
})

for (const [name, spec, want] of [
  ['the name of the pod', {}, { hostname: 'web-0', domain: '' }],
  ['a host name of its own', { hostname: 'h' }, { hostname: 'h', domain: '' }],
  ['a subdomain', { hostname: 'h', subdomain: 's' }, { hostname: 'h', domain: 's.shop.svc.cluster.local' }],
  [
    'an override',
    { hostname: 'h', subdomain: 's', hostnameOverride: 'o.example' },
    { hostname: 'o.example', domain: '' },
  ],
] as const)
  test(`host name: ${name}`, () => {
    const pod = { metadata: { name: 'web-0', namespace: 'shop' }, spec: { containers: [], ...spec } }
    assert.deepEqual(hostnameOf(pod, 'cluster.local'), want)
  })

test('host name: cut to what the kernel takes, without a dash at the end', () => {
  const pod = { metadata: { name: `${'a'.repeat(62)}-bcd`, namespace: 'x' }, spec: { containers: [] } }
  assert.equal(hostnameOf(pod, 'cluster.local').hostname, 'a'.repeat(62))
})

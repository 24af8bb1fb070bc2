// The command line of flannel: every flag of flanneld is known, and what is wrong is named.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nodeOfPod } from '#cli/process/flannel-keeper.ts'
import { connect } from '#client/client.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { fairway } from '#test/fairway.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-flannel-'))
after(() => rmSync(folder, { recursive: true }))

/** Those of flanneld 0.28, but for klog's -vmodule and -log_backtrace_at, which belong to Go. */
const flags =
  'etcd-endpoints etcd-prefix etcd-keyfile etcd-certfile etcd-cafile etcd-username etcd-password iface iface-regex ' +
  'iface-can-reach subnet-file public-ip public-ipv6 subnet-lease-renew-margin ip-masq ip-masq-fully-random-disable ' +
  'kube-subnet-mgr kube-api-url kube-annotation-prefix kubeconfig-file healthz-ip healthz-port iptables-resync ' +
  'iptables-forward-rules ip-blackhole-route net-config-path set-node-network-unavailable'

test('flannel: the flags of flanneld, on the command line and in the environment', () => {
  const { stdout, status } = fairway(['flannel', '--help'])
  assert.equal(status, 0)
  const missing = flags.split(' ').filter((name) => !new RegExp(`--(no-)?${name}[ =\\n]`).test(stdout))
  assert.deepEqual(missing, [])
  const unheard = flags
    .split(' ')
    .map((name) => `FLANNELD_${name.toUpperCase().replaceAll('-', '_')}`)
    .filter((name) => !stdout.includes(name))
  assert.deepEqual(unheard, [])
})

test('flannel: what is wrong is named, before anything is done', () => {
  const path = join(folder, 'net-conf.json')
  for (const [config, words, message] of [
    [
      '{"Network":"10.244.0.0/16"}',
      ['--public-ip', 'fd00::1'],
      /^fairway: --public-ip: "fd00::1" is no IPv4 address$/m,
    ],
    ['{"Network":"10.244.0.0/16"}', ['--iface-can-reach', 'eth0'], /--iface-can-reach: "eth0" is no IP address/],
    ['{"Network":"10.244.0.0/16"}', ['--iface-regex', '('], /--iface-regex: Invalid regular expression/],
    ['{"Network":"10.244.0.0/16"}', ['--iptables-resync', '-1'], /--iptables-resync: "-1" is no time/],
    ['{"Network":"10.244.0.0/16"}', ['--subnet-lease-renew-margin', '1440'], /must be a number from 1 to 1439/],
    [
      '{"Network":"10.244.0.0/16","Backend":{"Type":"wireguard"}}',
      [],
      /unknown back end "wireguard"\n +there are vxlan, host-gw, udp/,
    ],
    ['{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","GBP":true}}', [], /Backend.GBP is not served/],
    ['{"Network":"10.244.0.0/33"}', [], /net-conf.json: Network must be an IPv4 range/],
    ['', ['--network', '10.1.0.0/16,10.2.0.0/16'], /--network: two ranges for IPv4/],
    ['{', [], /net-conf.json: not JSON/],
  ] as const) {
    writeFileSync(path, config)
    const server = ['--kube-api-url', 'http://127.0.0.1:9', '--kubeconfig', join(folder, 'kubeconfig')]
    writeFileSync(join(folder, 'kubeconfig'), kubeconfig)
    const ran = fairway(['flannel', '--net-config-path', path, ...server, ...words], { env: { FLANNELD_IFACE: 'lo' } })
    assert.notEqual(ran.status, 0)
    assert.match(ran.stderr, message)
  }
})

test('flannel: in a DaemonSet the pod says which node it is', async () => {
  await using server = await FakeKubernetes.start()
  server.put('pods', { metadata: { namespace: 'kube-flannel', name: 'ds-1' }, spec: { nodeName: 'node-7' } })
  const log = createLogger({ format: 'text', level: 0, write: () => {} })
  const context = { log, clock: systemClock, registry: createRegistry(), signal: new AbortController().signal }
  const client = connect({ server: server.url })
  const keeper = { kind: 'kubernetes', client } as const
  assert.equal(await nodeOfPod({ podName: 'ds-1', podNamespace: 'kube-flannel' }, keeper, context), 'node-7')
  assert.equal(await nodeOfPod({ podName: undefined, podNamespace: 'kube-flannel' }, keeper, context), undefined)
  client.close()
})

const kubeconfig = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:9' } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  users: [{ name: 'u', user: {} }],
  'current-context': 'c',
})

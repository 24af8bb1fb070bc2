// The command line of the proxy: kube-proxy's flags, its file, and what has no meaning here.
import * as assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { fairway } from '#test/fairway.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-proxy-'))
after(() => rmSync(folder, { recursive: true }))
const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
const target = join(folder, 'written.yaml')

function written(file: string | undefined, ...words: string[]) {
  const path = join(folder, 'config.yaml')
  if (file !== undefined) writeFileSync(path, head + file)
  const config = file === undefined ? [] : ['--config', path]
  const { status, stderr } = fairway(['proxy', ...config, ...words, '--write-config-to', target])
  return {
    status,
    stderr: stderr.replaceAll(folder, 'DIR'),
    config: status === 0 ? parse(readFileSync(target, 'utf8')) : {},
  }
}

test('proxy: the file, and flags that say something else', () => {
  const file =
    'mode: ipvs\nclusterCIDR: 10.1.0.0/16\niptables: {masqueradeBit: 10}\nipvs: {scheduler: lc}\nhostnameOverride: a\n'
  const { config } = written(file, '--hostname-override', 'b')
  assert.deepEqual(
    [config.mode, config.clusterCIDR, config.iptables.masqueradeBit, config.ipvs.scheduler, config.hostnameOverride],
    ['ipvs', '10.1.0.0/16', 10, 'lc', 'b'],
  )
  const again = fairway(['proxy', '--config', target, '--write-config-to', join(folder, 'again.yaml')])
  assert.equal(again.status, 0, again.stderr)
  assert.deepEqual(parse(readFileSync(join(folder, 'again.yaml'), 'utf8')), config)
})

test('proxy: nftables where nothing is said; kube-proxy’s defaults otherwise', () => {
  const { config } = written(undefined)
  assert.equal(config.mode, 'nftables')
  assert.deepEqual(config.conntrack, {
    maxPerCore: 32768,
    min: 131072,
    tcpEstablishedTimeout: '24h0m0s',
    tcpCloseWaitTimeout: '1h0m0s',
    tcpBeLiberal: false,
    udpTimeout: '0s',
    udpStreamTimeout: '0s',
  })
  assert.deepEqual([config.healthzBindAddress, config.metricsBindAddress], ['0.0.0.0:10256', '127.0.0.1:10249'])
})

test('proxy: what is wrong is named, and what has no effect', () => {
  for (const [file, words, message] of [
    [
      'mode: userspace',
      [],
      /^fairway: --config DIR\/config.yaml: mode must be one of nftables, iptables, ipvs, not "userspace"$/m,
    ],
    ['iptables: {masqueradeBit: 40}', [], /iptables\.masqueradeBit must be a number from 0 to 31, not "40"/],
    ['iptables: {masqueradBit: 4}', [], /unknown field iptables\.masqueradBit/],
    ['clusterCIDR: 10.1.0.0', [], /--cluster-cidr: 10\.1\.0\.0 is not a CIDR/],
    ['nodePortAddresses: [primary]', ['--nodeport-addresses', 'x'], /--nodeport-addresses: x is not a CIDR/],
  ] as const) {
    const { status, stderr } = written(file, ...words)
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
  }
  const { status, stderr } = written('clientConnection: {qps: 50}\n', '--kube-api-burst', '7')
  assert.equal(status, 0)
  assert.match(stderr, /--kube-api-burst has no effect: requests are few, and not limited/)
  assert.match(stderr, /clientConnection\.qps of the configuration has no effect: requests are few, and not limited/)
  assert.match(fairway(['proxy', '--config', join(folder, 'none')]).stderr, /--config .*none: ENOENT/)
})

test('deploy/proxy.yaml: its arguments and its configuration are understood', () => {
  const objects = parseAllDocuments(readFileSync('deploy/proxy.yaml', 'utf8')).map((document) => document.toJS())
  const of = (kind: string) => objects.find((object) => object.kind === kind)
  assert.equal(of('ClusterRoleBinding').roleRef.name, 'system:node-proxier')
  const [container] = of('DaemonSet').spec.template.spec.containers
  const words = (container.args as string[])
    .map((word) => word.replace('/etc/fairway', folder).replace('$(NODE_NAME)', 'node-1'))
    .map((word) => word.replace('$(API_SERVER)', of('ConfigMap').data.server))
  writeFileSync(join(folder, 'config.conf'), of('ConfigMap').data['config.conf'])
  const { status, stderr } = fairway([...words, '--write-config-to', target])
  assert.equal(status, 0, stderr)
  assert.equal(stderr, '')
  const config = parse(readFileSync(target, 'utf8'))
  assert.deepEqual([config.mode, config.clusterCIDR, config.hostnameOverride], ['nftables', '10.244.0.0/16', 'node-1'])
})

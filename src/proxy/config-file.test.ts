// KubeProxyConfiguration files, as kubeadm and people write them.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfigFile } from '#proxy/config-file.ts'

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
const flagsOf = (text: string, mode?: 'iptables' | 'nftables' | 'ipvs') =>
  Object.fromEntries(readConfigFile(head + text, mode).values.map(({ flag, text: value }) => [flag, value]))

/** What kubeadm writes: every field there is, most of them empty. */
const kubeadm = `
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack: {maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s}
detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: {localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
ipvs: {excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s}
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
metricsBindAddress: ""
mode: ""
nftables: {masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: {enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: ""}
`

test('config: what kubeadm writes', () => {
  const flags = flagsOf(kubeadm)
  assert.equal(flags['kubeconfig'], '/var/lib/kube-proxy/kubeconfig.conf')
  assert.equal(flags['clusterCidr'], '10.244.0.0/16')
  assert.deepEqual(
    ['proxyMode', 'healthzBindAddress', 'iptablesSyncPeriod', 'conntrackMin', 'detectLocalMode'].filter(
      (name) => name in flags,
    ),
    [],
  )
  assert.deepEqual(
    readConfigFile(head + kubeadm).notes.map(({ field }) => field),
    [],
  )
})

test('config: values, lists, addresses without a port', () => {
  assert.deepEqual(
    flagsOf(
      'nodePortAddresses: [10.0.0.0/8, fd00::/8]\nmetricsBindAddress: 0.0.0.0\nhealthzBindAddress: "::"\noomScoreAdj: 0',
    ),
    {
      nodeportAddresses: '10.0.0.0/8,fd00::/8',
      metricsBindAddress: '0.0.0.0:10249',
      healthzBindAddress: '[::]:10256',
      oomScoreAdj: '0',
    },
  )
})

test('config: the section of the mode counts', () => {
  const text =
    'iptables: {masqueradeBit: 10, masqueradeAll: true, syncPeriod: 10s}\nnftables: {masqueradeBit: 12, masqueradeAll: false}'
  assert.deepEqual(flagsOf(`mode: iptables\n${text}`), {
    proxyMode: 'iptables',
    iptablesMasqueradeBit: '10',
    masqueradeAll: 'true',
    iptablesSyncPeriod: '10s',
  })
  assert.equal(flagsOf(text)['iptablesMasqueradeBit'], '12')
  assert.equal(flagsOf(text)['masqueradeAll'], 'true')
  assert.equal(flagsOf(`mode: iptables\n${text}`, 'nftables')['iptablesMasqueradeBit'], '12')
})

test('config: what has no effect is named, what nobody knows is refused', () => {
  assert.deepEqual(readConfigFile(`${head}clientConnection: {qps: 50}\nfeatureGates: {SomeGate: true}`).notes, [
    { field: 'clientConnection.qps', why: 'requests are few, and not limited' },
    { field: 'featureGates', why: 'there are none: what is there is on' },
  ])
  for (const [text, message] of [
    [`${head}iptables: {masqueradeBits: 3}`, 'unknown field iptables.masqueradeBits'],
    [`${head}clusterCIDRs: x`, 'unknown field clusterCIDRs'],
    ['kind: Deployment\napiVersion: apps/v1', 'it is apps/v1 Deployment, and not'],
    ['[1]', 'it is not an object'],
    ['a: [', 'it is not YAML'],
  ] as const)
    assert.throws(
      () => readConfigFile(text),
      (error: Error) => error.message.startsWith(message),
      text,
    )
})

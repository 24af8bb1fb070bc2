// What tutorials show of iptables on a node, on a cluster in iptables mode.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { nodePicture } from '#test/cluster/node-picture.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'iptables', 'curl'] })
const golden = 'test/cluster/testdata/node-1.iptables'
let live: LiveCluster

const files = ['examples/hostnames.yaml', 'examples/clusteripservice.yaml', 'test/cluster/testdata/services.yaml']
before(() => {
  if (skip === false)
    live = new LiveCluster('iptables', ['--proxy-mode', 'iptables', ...files.flatMap((file) => ['-f', file])])
})
after(() => live?.down())

test('the proxy says that it uses iptables', { skip }, async () => {
  const log = await until(() => live.kubectl('logs', '-n', 'kube-system', 'kube-proxy-node-1'))
  assert.match(log, /Using iptables Proxier\./)
  assert.match(log, /Not syncing iptables until Services and Endpoints have been received from master/)
})

test('every kind of front answers', { skip }, () => {
  const node = live.value('.status.addresses[0].address', 'node', 'node-2')
  const pods = live.pods('app=hostnames').map(({ name }) => name)
  for (const [place, url] of [
    ['pod/looker', 'http://hostnames/'],
    ['node/node-3', `http://${live.value('.spec.clusterIP', 'service', 'hostnames')}/`],
    ['client', `http://${node}:30225/`],
    ['node/node-2', 'http://127.0.0.1:30225/'],
  ] as const)
    assert.ok(pods.includes(live.sh(place, `curl -sS -m 5 ${url}`).text), `${place} ${url}`)
})

test('iptables-save of a node is the golden picture', { skip }, async () => {
  const wanted = readFileSync(golden, 'utf8').replaceAll(/^#.*\n/gm, '')
  await until(() => {
    const services = live.kubectl('get', 'services', '-A', '-o', 'json')
    const text = live.sh('node/node-1', 'iptables-save -t filter; iptables-save -t nat').text
    assert.deepEqual(nodePicture(text, services).split('\n'), wanted.split('\n'))
  })
})

test('the chains have the names that all of Kubernetes knows them by', { skip }, () => {
  const { text } = live.sh('node/node-2', 'iptables-save -t nat')
  for (const [chain, service] of [
    ['KUBE-SVC-NPX46M4PTMTKRN6Y', 'default/kubernetes:https'],
    ['KUBE-SVC-TCOU7JCQXEZGVUNU', 'kube-system/kube-dns:dns'],
    ['KUBE-SVC-ERIFXISQEP7F7OF4', 'kube-system/kube-dns:dns-tcp'],
    ['KUBE-SVC-JD5MR3NA4I4DYORP', 'kube-system/kube-dns:metrics'],
    ['KUBE-SVC-IAEKQ2XJ6CG3CMAV', 'default/clusteripservice'],
    ['KUBE-SVC-I54GZH7ZC463PLQ6', 'default/nodeportservice'],
  ] as const) {
    assert.match(text, new RegExp(`^:${chain} `, 'm'))
    assert.match(text, new RegExp(`^-A KUBE-SERVICES .*"${service} cluster IP" .* -j ${chain}$`, 'm'))
  }
})

test('iptables -L -v -n -t nat: a fourth, a third, a half and the rest', { skip }, () => {
  const { text } = live.sh('node/node-1', 'iptables -L KUBE-SVC-IAEKQ2XJ6CG3CMAV -v -n -t nat')
  const [, , masquerade, ...jumps] = text.split('\n')
  assert.match(
    masquerade!,
    /KUBE-MARK-MASQ .* !10\.244\.0\.0\/16 .*\/\* default\/clusteripservice cluster IP \*\/ tcp dpt:8080/,
  )
  const chances = jumps.map((line) => /KUBE-SEP-\w{16} .*?(?:probability ([\d.]+))?$/.exec(line)![1])
  assert.deepEqual(chances, ['0.25000000000', '0.33333333349', '0.50000000000', undefined])
})

test('rules that somebody removed come back', { skip }, async () => {
  live.sh(
    'node/node-3',
    'iptables -t nat -F KUBE-SERVICES; iptables -t nat -D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  )
  await until(() => {
    const { text } = live.sh('node/node-3', 'iptables-save -t nat')
    assert.match(text, /^-A PREROUTING .* -j KUBE-SERVICES$/m)
    assert.match(text, /^-A KUBE-SERVICES .* -j KUBE-SVC-IAEKQ2XJ6CG3CMAV$/m)
  })
})

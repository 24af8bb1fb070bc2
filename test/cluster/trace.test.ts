// `fairway trace` and `fairway snapshot` on a live cluster: what they say is what its packets do.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['kubectl'] })
const folder = skip === false ? mkdtempSync(join(tmpdir(), 'fairway-trace-')) : ''
let cluster: LiveCluster

before(() => {
  if (skip === false) cluster = new LiveCluster('trace', ['-f', 'examples/hostnames.yaml', '--nodes', '2'])
})
after(() => {
  if (skip !== false) return
  cluster.down()
  rmSync(folder, { recursive: true, force: true })
})

type Way = {
  readonly percent: string
  readonly outcome: { readonly kind: string; readonly to?: string; readonly listener?: string }
  readonly answer: { readonly kind: string }
  readonly client: string
}

function ways(...words: readonly string[]): readonly Way[] {
  const { status, stdout, stderr } = cluster.fairway('trace', '-o', 'json', ...words)
  assert.equal(status, 0, stderr)
  return (JSON.parse(stdout) as { ways: Way[] }).ways
}

test('trace: live, each endpoint a third, and each answers', { skip }, () => {
  const pods = cluster.pods('app=hostnames')
  const [from] = pods
  const found = ways('--from', `pod/${from!.name}`, '--to', 'svc/hostnames:80')
  assert.deepEqual(found.map(({ outcome }) => outcome.to).toSorted(), pods.map(({ name }) => `pod/${name}`).toSorted())
  assert.deepEqual(
    found.map(({ percent, answer }) => `${percent} ${answer.kind}`),
    pods.map(() => '33.3% returns'),
  )
  const answers = cluster.answers(
    `pod/${from!.name}`,
    `http://${cluster.value('.spec.clusterIP', 'service', 'hostnames')}/`,
    9,
  )
  for (const answer of answers)
    assert.ok(
      pods.some(({ name }) => name === answer),
      answer,
    )
})

test('trace: the same from a snapshot, which has no secrets', { skip }, () => {
  const file = join(folder, 'cluster.tgz')
  const { status, stdout, stderr } = cluster.fairway('snapshot', '-o', file)
  assert.equal(status, 0, stderr)
  assert.match(stdout, /: 2 nodes, \d+ files/)
  const port = cluster.value('.spec.ports[0].nodePort', 'service', 'hostnames-nodeport')
  const words = ['--from', 'client', '--to', `node/node-1:${port}`]
  const live = ways(...words)
  const ip = '203.0.113.10'
  const mailed = ways('--snapshot', file, '--from', ip, ...words.slice(2))
  assert.equal(live.length, 3)
  assert.deepEqual(mailed, live)
  const refused = ways('--snapshot', file, '--from', ip, '--to', 'svc/hostnames:81')
  assert.deepEqual(
    refused.map(({ outcome }) => outcome.kind),
    ['refused'],
  )
})

test(
  'trace: a port where nobody listens refuses, and an unknown address of a Service is refused by the rules',
  { skip },
  () => {
    const [from, to] = cluster.pods('app=hostnames')
    const closed = ways('--from', `pod/${from!.name}`, '--to', `pod/${to!.name}:81`)
    assert.deepEqual(
      closed.map(({ outcome, answer, client }) => [outcome.kind, outcome.listener, answer.kind, client]),
      [['delivered', 'no', 'refused', 'ECONNREFUSED']],
    )
    const udp = ways('--from', `pod/${from!.name}`, '--to', `pod/${to!.name}:81/udp`)
    assert.deepEqual(
      udp.map(({ outcome, client }) => [outcome.listener, client]),
      [['no', 'ECONNREFUSED']],
    )
    const open = ways('--from', `pod/${from!.name}`, '--to', 'svc/hostnames:80')
    assert.deepEqual(
      new Set(open.map(({ outcome, client }) => `${outcome.listener} ${client}`)),
      new Set(['yes answer']),
    )
    assert.deepEqual(
      ways('--from', `pod/${from!.name}`, '--to', 'svc/hostnames:81').map(({ client }) => client),
      ['ECONNREFUSED'],
    )
  },
)

test('trace: one node by a kubeconfig, another by the script: as any cluster', { skip }, () => {
  const [from] = cluster.pods('app=hostnames').filter(({ node }) => node === 'node-1')
  const [byKubeconfig, byScript, script] = ['node-1.tgz', 'node-2.tgz', 'snapshot.sh'].map((file) => join(folder, file))
  const kubeconfig = cluster.env['KUBECONFIG']!
  writeFileSync(script!, cluster.fairway('snapshot', '--print-script').stdout)
  const first = cluster.sh('node/node-1', `fairway snapshot --kubeconfig ${kubeconfig} -o ${byKubeconfig}`)
  assert.equal(first.status, 0, first.text)
  assert.match(first.text, /: 1 nodes, \d+ files/)
  const second = cluster.sh('node/node-2', `NODE_NAME=node-2 KUBECONFIG=${kubeconfig} sh ${script} ${byScript}`)
  assert.equal(second.status, 0, second.text)
  const snapshots = ['--snapshot', byKubeconfig!, '--snapshot', byScript!]
  const plain = (list: readonly Way[]) => [
    ...new Set(
      list
        .filter(({ outcome }) => outcome.kind === 'delivered')
        .map(({ percent, outcome }) => `${percent} ${outcome.to} ${outcome.listener}`),
    ),
  ]
  // nft has no words for some rules of the second node, which are conditions then; who is reached, and whether a process
  // listens there, in its pods too, is known all the same.
  for (const to of ['svc/hostnames:80', ...cluster.pods('app=hostnames').map(({ name }) => `pod/${name}:81`)]) {
    const question = ['--from', `pod/${from!.name}`, '--to', to]
    assert.deepEqual(plain(ways(...snapshots, ...question)).toSorted(), plain(ways(...question)).toSorted(), to)
  }
})

test('trace: a question that has no answer names what to do', { skip }, () => {
  const { status, stderr } = cluster.fairway('trace', '--from', 'pod/nobody', '--to', 'svc/hostnames:80')
  assert.equal(status, 2)
  assert.match(stderr, /there is no pod\/nobody/)
})

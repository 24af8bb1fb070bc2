// Which probes are sent into the recorded cluster, what is expected of each, and what is made of their outcomes.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { compare } from '#doctor/compare/compare.ts'
import { diagnose } from '#doctor/diagnose.ts'
import { mostProbes, planProbes, type Probe } from '#doctor/probe/plan.ts'
import { predict } from '#doctor/probe/predict.ts'
import { isSurprise, type Probed, type Tried } from '#doctor/probe/probed.ts'
import { reconcile } from '#doctor/probe/reconcile.ts'
import { renderReport } from '#doctor/report.ts'
import { readView } from '#doctor/view.ts'
import { addObject, assertWhole, type Change, changed, edit, insert, object, without } from '#test/doctor-snapshot.ts'

const plan = (changes: readonly Change[], only?: string, has: (place: string) => boolean = () => true) => {
  const view = readView(changed(...changes))
  return { view, ...planProbes(view, compare(view, only), { has, reaches: () => true }, only) }
}
const nameOf = (probe: Probe) =>
  probe.kind === 'name'
    ? `${probe.from} ${probe.name}`
    : `${probe.from} ${probe.ip}:${probe.port}/${probe.protocol}${probe.kind === 'connection' && probe.http ? ' http' : ''}`

test('probes: from a pod and from the node on each node, from outside to node ports, and the name', () => {
  const { probes, left } = plan([], 'default/hostnames-nodeport')
  const pods = ['hostnames-5c8dd7776d-6v8qm', 'hostnames-5c8dd7776d-bd7vg']
  assert.deepEqual(
    probes.map(nameOf).toSorted(),
    [
      'client 10.168.0.2:30225/tcp http',
      'client 10.168.0.3:30225/tcp http',
      'node/node-1 10.111.73.124:80/tcp http',
      'node/node-2 10.111.73.124:80/tcp http',
      ...pods.map((pod) => `pod/default/${pod} 10.111.73.124:80/tcp http`),
      ...pods.map((pod) => `pod/default/${pod} hostnames-nodeport.default.svc.cluster.local`),
    ].toSorted(),
  )
  assert.equal(left, 0)
})

test('probes: none that affinity would remember, none from where nobody can send', () => {
  const affine = object('services', 'hostnames-nodeport', ({ spec }) => (spec.sessionAffinity = 'ClientIP'))
  assert.deepEqual([...new Set(plan([affine], 'default/hostnames-nodeport').probes.map(({ kind }) => kind))], ['name'])
  assert.deepEqual(plan([], 'default/hostnames', (place) => place === 'node/node-1').probes.map(nameOf), [
    'node/node-1 10.104.48.131:80/tcp http',
  ])
})

test('probes: no more than a bounded number, each Service having its turn', () => {
  const many = Array.from({ length: 100 }, (_, i) =>
    addObject('services', 'Service', {
      metadata: { namespace: 'default', name: `s${i}` },
      spec: { clusterIP: `10.100.0.${i}`, clusterIPs: [`10.100.0.${i}`], ports: [{ port: 80, protocol: 'TCP' }] },
    }),
  )
  const { probes, left } = plan(many)
  assert.equal(probes.length, mostProbes)
  assert.ok(left > 0)
  // Servers outside count as one.
  assert.equal(new Set(probes.map(({ service }) => service)).size, 105)
})

const [pod1, hostnames] = ['pod/default/hostnames-5c8dd7776d-6v8qm', '10.104.48.131:80/tcp http']
const predicted = (changes: readonly Change[], name: string) => {
  const { view, probes } = plan(changes)
  const probe = probes.find((one) => nameOf(one) === name)
  assert.ok(probe !== undefined, name)
  const { works, fails } = predict(view, probe)
  return [works, fails].map((share) => Math.round(share * 100))
}

for (const [name, changes, from, want] of [
  ['nothing wrong', [], `${pod1} ${hostnames}`, [100, 0]],
  ['from a node', [], `node/node-1 ${hostnames}`, [100, 0]],
  ['from outside', [], 'client 10.168.0.2:30225/tcp http', [100, 0]],
  ['a name', [], `${pod1} hostnames.default.svc.cluster.local`, [100, 0]],
  ['an address that nobody knows', [], 'node/node-1 10.96.0.1:443/tcp', [0, 0]],
  [
    'no route',
    [
      edit(
        'node-1/ip-route.json',
        '{"dst":"10.244.1.0/24","gateway":"10.244.1.0","dev":"flannel.1","flags":["onlink"]},',
        '',
      ),
    ],
    `${pod1} ${hostnames}`,
    [67, 33],
  ],
  ['nobody listens', [edit('6v8qm/sockets.txt', ':9376', ':9377')], `${pod1} ${hostnames}`, [67, 33]],
  [
    'no rule',
    [without('node-1/iptables-save.txt', /-A KUBE-SERVICES -d 10\.104\.48\.131/)],
    `${pod1} ${hostnames}`,
    [0, 100],
  ],
  [
    'a firewall',
    [
      insert(
        'node-1/iptables-save.txt',
        /-A FORWARD /,
        '-A FORWARD -d 10.244.0.0/16 -p tcp -m tcp --dport 9376 -j DROP',
        'before',
      ),
    ],
    `${pod1} ${hostnames}`,
    [0, 100],
  ],
] as const)
  test(`prediction: ${name}`, () => assert.deepEqual(predicted(changes, from), want))

const tried = (kind: Tried['kind'], text: string = kind, addresses?: readonly string[]): Tried => ({
  kind,
  text,
  ms: 1,
  ...(addresses !== undefined && { addresses }),
})
const firewall = insert(
  'node-1/iptables-save.txt',
  /-A FORWARD /,
  '-A FORWARD -d 10.244.0.0/16 -p tcp -m tcp --dport 9376 -j DROP',
  'before',
)

/** What becomes of the diagnosis of a cluster once the probes of one Service ended as told. */
function reconciled(changes: readonly Change[], outcome: (probe: Probe) => readonly Tried[]) {
  const only = 'default/hostnames'
  const { view, probes } = plan(changes, only)
  const probed = probes.map((probe): Probed => ({ probe, prediction: predict(view, probe), tries: outcome(probe) }))
  return { ...reconcile(diagnose(view, { only }), probed, 0), surprises: probed.filter(isSurprise).length }
}
const fine = (probe: Probe): readonly Tried[] => [
  probe.kind === 'name' ? tried('works', '10.104.48.131', ['10.104.48.131']) : tried('works', 'HTTP/1.1 200 OK'),
]

test('reconcile: everything as expected', () => {
  const { findings, steps, surprises, ...rest } = reconciled([], fine)
  assert.deepEqual([findings, surprises], [[], 0])
  assert.deepEqual([steps.at(-1)?.stage, steps.at(-1)?.state], ['probe', 'passed'])
  assert.match(renderReport({ findings, steps, ...rest }), /^ok +probe +6 connections tried from /m)
})

test('reconcile: a failure that nothing explains', () => {
  const { findings, steps, surprises } = reconciled([], (probe) =>
    probe.from === 'node/node-2' ? [tried('silent', 'ETIMEDOUT'), tried('works')] : fine(probe),
  )
  assert.deepEqual(
    findings.map(({ code, about, nodes }) => [code, about, ...nodes]),
    [['ProbeFails', 'svc/default/hostnames', 'node-2']],
  )
  assert.match(
    findings[0]!.evidence.join(),
    /probe from node\/node-2 to 10\.104\.48\.131:80\/tcp: ETIMEDOUT \(1 of 2\)/,
  )
  assert.match(findings[0]!.consequence, /^50% of connections/)
  findings.forEach(assertWhole)
  assert.deepEqual([steps.at(-1)?.state, surprises], ['failed', 1])
})

test('reconcile: a failure that a finding explains is its evidence', () => {
  const { findings, surprises } = reconciled([firewall], (probe) =>
    probe.kind === 'connection' && probe.node === 'node-1' && probe.from.startsWith('pod')
      ? [tried('silent', 'ETIMEDOUT')]
      : fine(probe),
  )
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['FirewallDrops'],
  )
  assert.match(
    findings[0]!.evidence.join('\n'),
    /^probe from pod\/hostnames-5c8dd7776d-6v8qm to .*: ETIMEDOUT \(1 of 1\)$/m,
  )
  assert.equal(surprises, 0)
})

test('reconcile: an answer that cannot be', () => {
  const { findings } = reconciled([firewall], fine)
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['FirewallDrops', 'ProbeAnswers'],
  )
  findings.forEach(assertWhole)
})

test('reconcile: a name that leads elsewhere, alone and by a rewrite', () => {
  const elsewhere = (probe: Probe) =>
    probe.kind === 'name' ? [tried('works', '192.0.2.9', ['192.0.2.9'])] : fine(probe)
  const { findings, steps } = reconciled([], elsewhere)
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['NameWrong'],
  )
  findings.forEach(assertWhole)
  assert.equal(steps.find(({ stage }) => stage === 'dns')?.state, 'failed')
  const rewritten = edit(
    'configmaps.json',
    'forward .',
    'rewrite name hostnames.default.svc.cluster.local old.example.org\\n    forward .',
  )
  const { findings: both } = reconciled([rewritten], elsewhere)
  assert.deepEqual(
    both.map(({ code, folded }) => [code, ...folded.map((item) => item.code)]),
    [['NameRewritten', 'NameWrong']],
  )
})

test('reconcile: a datagram that nobody answers says nothing', () => {
  const view = readView(changed())
  const probe = planProbes(view, compare(view, 'kube-system/kube-dns'), {
    has: () => true,
    reaches: () => true,
  }).probes.find((one) => one.kind === 'connection' && one.protocol === 'udp')!
  const prediction = predict(view, probe)
  const of = (kind: Tried['kind']) =>
    reconcile(diagnose(view), [{ probe, prediction, tries: [tried(kind)] }], 0).findings
  assert.deepEqual(of('mute'), [])
  assert.deepEqual(
    of('refused').map(({ code }) => code),
    ['ProbeFails'],
  )
})

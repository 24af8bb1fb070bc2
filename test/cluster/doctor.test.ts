// The doctor over a cluster in which things are broken for real: alone and at once, and mended as it says.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { examine, type Fault, faults, makeAndMend, untilHealthy } from '#test/cluster/doctor-faults.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'nft', 'iptables', 'conntrack'] })
let live: LiveCluster

before(() => {
  if (skip === false) live = new LiveCluster('doctor', ['--nodes', '2', '-f', 'examples/hostnames.yaml'])
})
after(() => live?.down())

const named = (code: string): Fault => faults.find((fault) => fault.code === code)!

test('a healthy cluster has no finding', { skip }, async () => {
  await untilHealthy(live)
  const { status, stdout } = live.fairway('doctor', 'svc/hostnames')
  assert.equal(status, 0, stdout)
  assert.match(stdout, /Nothing is wrong/)
  assert.doesNotMatch(stdout, /^(\?|warn|FAIL) /m)
  for (const step of [
    'selector +app=hostnames matches 3 pods',
    'listener +a process listens at 3 of 3',
    'proxy +node-2: ',
  ])
    assert.match(stdout, new RegExp(`^ok +${step}`, 'm'))
})

test('a cluster in motion has no finding', { skip, timeout: 120_000 }, async () => {
  const scale = (replicas: number) => live.kubectl('scale', 'deployment/hostnames', `--replicas=${replicas}`)
  for (const replicas of [6, 2, 5, 3]) {
    scale(replicas)
    const { findings } = examine(live)
    // Pods that are just being made are not ready, whichever look.
    assert.deepEqual(
      findings.filter(({ code }) => code !== 'PodsNotReady').map(({ code, about }) => `${code} ${about}`),
      [],
    )
  }
  live.kubectl('rollout', 'status', 'deployment/hostnames', '--timeout=30s')
  await untilHealthy(live)
})

// Those that do not hide each other are made together.
for (const codes of [
  ['NoListener', 'FirewallDrops', 'HairpinOff', 'BridgePastRules', 'LeftoverRules'],
  ['NoPodMatches', 'ForeignRule', 'ForwardingOff', 'RouteMissing'],
  ['ProxyMissing', 'ProxyDown', 'MtuTooLarge'],
])
  test(`at once: ${codes.join(', ')}`, { skip, timeout: 120_000 }, () => makeAndMend(live, codes.map(named)))

test('a Service that does not exist, and bad words', { skip }, () => {
  assert.equal(live.fairway('doctor', 'pod/x').status, 2)
  const { status, findings } = examine(live, 'svc/hostnamse')
  assert.deepEqual(
    [status, ...findings.map(({ code, about }) => `${code} ${about}`)],
    [1, 'ServiceMissing svc/default/hostnamse'],
  )
  assert.match(findings[0]!.evidence.join(), /there is default\/hostnames/)
  assert.match(fairway(['explain', 'serviceMissing']).stdout, /^# ServiceMissing$/m)
})

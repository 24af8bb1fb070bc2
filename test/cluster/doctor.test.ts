// The doctor over a cluster in which things are broken for real: alone and at once, and mended as it says.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  drop,
  examine,
  type Fault,
  faults,
  follow,
  headlines,
  makeAndMend,
  type Reported,
  untilHealthy,
} from '#test/cluster/doctor-faults.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

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

/** A program that takes connections, and never says a word. */
const mute = `apiVersion: v1
kind: Service
metadata: { name: mute }
spec: { selector: { app: mute }, ports: [{ name: http, port: 80, targetPort: 9999 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: mute, labels: { app: mute } }
spec:
  containers:
    - name: mute
      image: debian
      command: [python3, -c, 'import socket, time; s = socket.create_server(("", 9999)); time.sleep(1e6)']
`

test(
  'real connections: as expected, failing for no reason that can be seen, and nothing left of them',
  { skip, timeout: 120_000 },
  async (t) => {
    // Who asked keeps no connection; `up` itself may have left some.
    const places = ['client', 'node/node-1', 'node/node-2']
    const kept = () =>
      places.flatMap((place) => live.sh(place, "ss -tanH '( dport = :80 or dport = :30225 )'").text.split('\n'))
    const before = new Set(kept())
    const healthy = live.fairway('doctor', '--probe')
    assert.equal(healthy.status, 0, healthy.stdout)
    assert.match(healthy.stdout, /^Probes: \d+ connections tried from .*; none failed/m)
    t.after(() => live.kubectl('delete', 'service,pod', 'mute', '--grace-period=1'))
    assert.equal(live.tryKubectl(['apply', '-f', '-'], mute).status, 0)
    live.kubectl('wait', '--for=condition=Ready', 'pod/mute', '--timeout=30s')
    await untilHealthy(live)
    const { status, findings } = examine(live, 'svc/mute', '--probe')
    assert.deepEqual(
      [status, ...findings.map(({ code, about }) => `${code} ${about}`)],
      [1, 'ProbeFails svc/default/mute'],
    )
    assert.match(
      findings[0]!.evidence.join('\n'),
      /^probe from node\/node-2 to \S+:80\/tcp: open, but no answer \(3 of 3\)$/m,
    )
    assert.deepEqual(
      kept().filter((line) => !before.has(line)),
      [],
    )
  },
)

test(
  'a name that the Corefile leads elsewhere is found by reading it, and by asking',
  { skip, timeout: 120_000 },
  async () => {
    const map = 'kube-dns'
    const corefile = live.value('.data.Corefile', '-n', 'kube-system', 'configmap', map)
    const write = (text: string) => {
      live.kubectl(
        '-n',
        'kube-system',
        'patch',
        'configmap',
        map,
        '--type=merge',
        '-p',
        JSON.stringify({ data: { Corefile: text } }),
      )
      // They would follow by themselves within a minute.
      live.kubectl('-n', 'kube-system', 'rollout', 'restart', 'deployment/kube-dns')
      live.kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/kube-dns', '--timeout=30s')
    }
    write(
      corefile.replace(
        '    errors\n',
        '    errors\n    rewrite name hostnames.default.svc.cluster.local kubernetes.default.svc.cluster.local\n',
      ),
    )
    await until(() => {
      const { findings } = examine(live, '--probe')
      assert.equal(headlines(findings), 'NameRewritten svc/default/hostnames\n  NameWrong svc/default/hostnames')
    })
    write(corefile)
    await untilHealthy(live)
  },
)

// Those that do not hide each other are made together.
for (const codes of [
  ['NoListener', 'FirewallDrops', 'HairpinOff', 'BridgePastRules', 'LeftoverRules'],
  ['NoPodMatches', 'ForeignRule', 'ForwardingOff', 'RouteMissing'],
  ['ProxyMissing', 'ProxyDown', 'MtuTooLarge', 'DnsUpstreamFails'],
  ['PathBroken', 'NodePortTaken', 'NodePortInLocalRange', 'StaleFlow', 'NodeDnsDown'],
])
  test(`at once: ${codes.join(', ')}`, { skip, timeout: 120_000 }, () => makeAndMend(live, codes.map(named)))

test('objects that are wrong, and mended by what is printed', { skip, timeout: 120_000 }, async (t) => {
  const file = 'test/cluster/testdata/sick.yaml'
  t.after(() => live.kubectl('delete', '-f', file, '--ignore-not-found', '--grace-period=1'))
  live.kubectl('apply', '-f', file)
  live.kubectl('wait', '--for=condition=Ready', 'pod/sick', '--timeout=30s')
  const byHand = [
    'LoadBalancerPending svc/default/balanced',
    'NameLoop svc/default/itself',
    'NoEndpoints svc/default/nobody',
    'PodsNotReady svc/default/unready',
    'NodePortAtLoopback svc/default/hostnames-nodeport',
  ]
  const byCommand = [
    'NamedPortMissing svc/default/named',
    'AsksElsewhere pod/default/sick',
    'SearchExpansion pod/default/sick',
    'ExternalLocalNoPod svc/default/near',
    'InternalLocalNoPod svc/default/near',
    'PolicyDenies svc/default/balanced',
    'PolicyDenies svc/default/near',
  ]
  const said = (findings: readonly Reported[]) => findings.map(({ code, about }) => `${code} ${about}`).toSorted()
  // Programs take a moment until they listen.
  const findings = await until(() => {
    const found = examine(live).findings
    assert.deepEqual(said(found), [...byHand, ...byCommand].toSorted())
    return found
  })
  // A pod that is made anew takes its other faults with it.
  for (const { code, about, remedy } of findings)
    if (byCommand.includes(`${code} ${about}`) && code !== 'AsksElsewhere') follow(live, remedy)
  await until(() => {
    const left = said(examine(live).findings)
    assert.deepEqual(left, [...byHand, 'AsksElsewhere pod/default/sick'].toSorted())
  })
  follow(live, findings.find(({ code }) => code === 'AsksElsewhere')!.remedy)
  await until(() => assert.deepEqual(said(examine(live).findings), byHand.toSorted()))
})

/** What a command of ours says, in which words soever it ends. */
type Document = {
  readonly healthy: boolean
  readonly findings: readonly Reported[]
  readonly undecided: readonly string[]
}
const examineBy = (kubeconfig: string): Document => {
  const { stdout, stderr } = fairway(['doctor', '-o', 'json', '--kubeconfig', kubeconfig])
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as Document
}

test(
  'any cluster by its kubeconfig: from elsewhere, and from one of its nodes',
  { skip, timeout: 120_000 },
  async (t) => {
    const kubeconfig = live.env['KUBECONFIG']!
    const far = examineBy(kubeconfig)
    assert.deepEqual([far.healthy, far.findings], [true, []])
    assert.match(far.undecided.join('\n'), /^nodes: this machine is none of them; run the script of --print-script/m)
    const onNode = () =>
      JSON.parse(live.sh('node/node-1', `fairway doctor -o json --kubeconfig ${kubeconfig}`).text) as Document
    await until(() => assert.deepEqual(onNode().findings, []))
    assert.match(onNode().undecided.join('\n'), /^no state of node-2: /m)
    // What only the node's own kernel, and a namespace of a pod on it, tell.
    t.after(() =>
      live.sh('node/node-1', 'sysctl -qw net.ipv4.ip_local_port_range="32768 60999"; nft delete table inet site'),
    )
    live.sh('node/node-1', `sysctl -qw net.ipv4.ip_local_port_range="30000 60999"; nft '${drop}'`)
    assert.equal(
      headlines(onNode().findings),
      'FirewallDrops node/node-1\nNodePortInLocalRange svc/default/hostnames-nodeport',
    )
  },
)

test(
  'a user whose rights lack something is told which, and by which command they come',
  { skip, timeout: 60_000 },
  (t) => {
    live.kubectl('create', 'serviceaccount', 'looker')
    live.kubectl(
      'create',
      'clusterrole',
      'looker',
      '--verb=list',
      '--resource=services,pods,nodes,namespaces,networkpolicies',
    )
    live.kubectl('create', 'clusterrolebinding', 'looker', '--clusterrole=looker', '--serviceaccount=default:looker')
    const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
    t.after(() => {
      rmSync(folder, { recursive: true })
      live.kubectl('delete', 'clusterrolebinding,clusterrole', 'looker', 'fairway-doctor', '--ignore-not-found')
      live.kubectl('delete', 'serviceaccount', 'looker')
    })
    const file = join(folder, 'kubeconfig')
    const config = JSON.parse(live.kubectl('config', 'view', '--raw', '-o', 'json')) as { users: { user: object }[] }
    config.users[0]!.user = { token: live.kubectl('create', 'token', 'looker').trim() }
    writeFileSync(file, JSON.stringify(config))
    const { findings, undecided } = examineBy(file)
    assert.deepEqual(findings, [])
    const told = undecided.find((line) => line.includes('may not list'))
    assert.match(
      told ?? '',
      /looker may not list configmaps, endpoints, endpointslices\.discovery\.k8s\.io: kubectl create/,
    )
    follow(live, [told!.replace(/^.*?: (?=kubectl)/, '')])
    assert.doesNotMatch(examineBy(file).undecided.join('\n'), /may not list/)
  },
)

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

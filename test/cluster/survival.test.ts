// What a cluster survives: stop and start, nodes that come and go, parts of it that are away.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { signalProcess, whenExited } from '#kernel/process.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { runningProcesses } from '#lab/processes.ts'
import { machineState } from '#test/cluster/leftovers.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
let live: LiveCluster
let clean: ReturnType<typeof machineState>
before(() => {
  if (skip !== false) return
  clean = machineState(`t-survival-${process.pid}`)
  live = new LiveCluster('survival', [
    '--nodes',
    '2',
    '-f',
    'examples/hostnames.yaml',
    '-f',
    'examples/externalips.yaml',
  ])
})
after(() => live?.down())

const ok = (command: string, ...words: string[]): string => {
  const { status, stdout, stderr } = live.fairway(command, ...words)
  assert.equal(status, 0, stderr)
  return stdout
}
const lines = (format: string, ...words: string[]) =>
  live
    .kubectl('get', ...words, '-o', `jsonpath={range .items[*]}${format}{"\\n"}{end}`)
    .trim()
    .split('\n')
    .sort()
const state = () => ({
  pods: lines('{.metadata.name} {.metadata.uid} {.spec.nodeName} {.status.podIP}', 'pods', '-A').filter(
    (line) => !/^kube-(proxy|flannel)-/.test(line),
  ),
  services: lines('{.metadata.name} {.spec.clusterIP} {.spec.ports[*].nodePort}', 'services', '-A'),
  nodes: lines('{.metadata.uid} {.spec.podCIDR} {.status.addresses[0].address}', 'nodes'),
})
const readyOf = (node: string) => live.value('.status.conditions[?(@.type=="Ready")].status', 'node', node)
/** Of the node, to a request from outside. */
const answerOf = (node: string, port = 30225) =>
  live.sh(
    'client',
    `curl -sS -m 3 http://${requireCluster(live.name).hosts.find(({ name }) => name === node)!.ip}:${port}/`,
  )

test('pods are spread, and node-1 has the first pod CIDR', { skip }, () => {
  assert.equal(new Set(live.pods('app=hostnames').map(({ node }) => node)).size, 2)
  assert.equal(new Set(live.pods('app=MyApp').map(({ node }) => node)).size, 2)
  assert.equal(live.value('.spec.podCIDR', 'node', 'node-1'), '10.244.0.0/24')
  assert.equal(live.value('.spec.podCIDR', 'node', 'node-2'), '10.244.1.0/24')
})

test('stop leaves nothing but files; start brings all of it back', { skip }, () => {
  live.kubectl('run', 'keeper', '--image=busybox', '--restart=Always', '--overrides', JSON.stringify(keeper))
  live.kubectl('wait', '--for=condition=Ready', 'pod/keeper', '--timeout=30s')
  live.kubectl('exec', 'keeper', '--', 'sh', '-c', 'echo kept > /data/note')
  const was = state()
  ok('stop')
  assert.deepEqual(machineState(live.name), { ...clean, files: ['/var/lib/fairway'] })
  assert.match(fairway(['list']).stdout, new RegExp(`^${live.name} +stopped +2 `, 'm'))
  assert.match(live.fairway('status').stdout, /is stopped: fairway start/)
  for (const words of needRunning)
    assert.match(live.fairway(...words).stderr, /is stopped\n {2}start it with: fairway start/, words.join(' '))
  ok('stop')
  assert.match(ok('start'), /^node-2 +Ready/m)
  assert.deepEqual(state(), was)
  assert.equal(live.kubectl('exec', 'keeper', '--', 'cat', '/data/note').trim(), 'kept')
  assert.equal(live.value('.status.containerStatuses[0].restartCount', 'pod', 'keeper'), '1')
  assert.match(live.kubectl('logs', 'keeper', '--previous'), /^started$/m)
  assert.match(answerOf('node-1').text, /^hostnames-/)
  assert.match(live.sh('client', 'curl -sS -m 3 http://80.11.12.10/').text, /^my-app-/)
  ok('start')
  assert.deepEqual(state(), was)
})

test('Services answer while the control plane and a node’s process are away', { skip }, async () => {
  const { paths } = requireCluster(live.name)
  const running = runningProcesses(paths)
  for (const name of ['control-plane', 'node-1']) {
    signalProcess(running.get(name)!, 'SIGKILL')
    await whenExited(running.get(name)!)
  }
  for (const node of ['node-1', 'node-2']) assert.match(answerOf(node).text, /^hostnames-/)
  assert.match(live.fairway('status').stdout, /^unwell:\n {2}control-plane does not run\n {2}node-1 does not run$/m)
  ok('start')
  await until(() => assert.match(ok('status'), /^control-plane /m))
})

test('a node is added, and serves', { skip }, async () => {
  assert.equal(ok('node add', 'worker-a'), 'worker-a\n')
  await until(() => assert.match(answerOf('worker-a').text, /^hostnames-/))
  live.kubectl('scale', 'deployment', 'hostnames', '--replicas=6')
  await until(() =>
    assert.ok(live.pods('app=hostnames').some(({ node, ip }) => node === 'worker-a' && ip !== undefined)),
  )
  assert.match(live.fairway('node add', 'worker-a').stderr, /there is a node "worker-a" already/)
})

test('without its proxy a node keeps its rules and learns no new ones', { skip }, async () => {
  ok('node stop', 'node-2', '--part', 'proxy')
  assert.match(live.fairway('status').stdout, /node-2 runs without proxy/)
  live.kubectl('expose', 'deployment', 'hostnames', '--name=late', '--port=80', '--target-port=9376', '--type=NodePort')
  const port = Number(live.value('.spec.ports[0].nodePort', 'service', 'late'))
  await until(() => assert.match(answerOf('node-1', port).text, /^hostnames-/))
  assert.match(answerOf('node-2', port).text, /connect/)
  assert.match(answerOf('node-2').text, /^hostnames-/)
  ok('node start', 'node-2', '--part', 'proxy')
  await until(() => assert.match(answerOf('node-2', port).text, /^hostnames-/))
})

test('a node is killed, started, deleted', { skip }, async () => {
  const pods = live.pods('app=hostnames').filter(({ node }) => node === 'worker-a')
  ok('node kill', 'worker-a')
  assert.match(live.sh('client', 'curl -sS -m 1 http://10.168.0.4:30225/').text, /No route|timed out|unreachable/i)
  assert.match(live.fairway('status').stdout, /worker-a is stopped/)
  assert.match(live.fairway('node kill', 'worker-a').stderr, /worker-a has been stopped already/)
  ok('node start', 'worker-a')
  assert.equal(readyOf('worker-a'), 'True')
  assert.deepEqual(
    live.pods('app=hostnames').filter(({ node }) => node === 'worker-a'),
    pods,
  )
  ok('node delete', 'worker-a')
  assert.throws(() => live.kubectl('get', 'node', 'worker-a'), /NotFound/)
  await until(() =>
    assert.deepEqual(new Set(live.pods('app=hostnames').map(({ node }) => node)), new Set(['node-1', 'node-2'])),
  )
})

test('every process says how it is, and has metrics', { skip }, async () => {
  const asked = (place: string, url: string) => live.sh(place, `curl -sSk -m 5 ${url}`).text
  for (const port of [10248, 10249, 8471, 8473, 8474])
    assert.match(asked('node/node-1', `http://127.0.0.1:${port}/metrics`), /^process_cpu_seconds_total /m, `${port}`)
  for (const url of ['10248/healthz', '10248/readyz', '10256/healthz', '8471/readyz', '8473/readyz', '8474/readyz'])
    assert.match(asked('node/node-1', `http://127.0.0.1:${url}`), /^ok$|lastUpdated/, url)
  for (const path of ['/healthz', '/livez', '/readyz']) assert.equal(live.kubectl('get', '--raw', path), 'ok')
  assert.match(live.kubectl('get', '--raw', '/metrics'), /^process_cpu_seconds_total /m)
  const controlPlane = requireCluster(live.name).hosts.find(({ role }) => role === 'control-plane')!
  assert.match(asked(controlPlane.name, 'http://127.0.0.1:10257/metrics'), /^workqueue_adds_total/m)
  assert.match(asked('node/node-1', 'http://10.96.0.10:9153/metrics'), /^process_cpu_seconds_total /m)
  await until(() => assert.match(ok('status'), /^control-plane +\d+ +\d+\.\d MiB +\d+\.\d\d s +\d+\.\d% /m))
})

const needRunning: readonly (readonly [string, ...string[]])[] = [
  ['node add'],
  ['curl', '10.168.0.2'],
  ['exec', 'router', '--', 'true'],
  ['partition'],
  ['heal'],
  ['doctor'],
  ['snapshot'],
  ['trace', '--from', 'client', '--to', 'svc/hostnames:80'],
]
const refusals: readonly (readonly [readonly string[], RegExp, number])[] = [
  [['node stop', 'node-9'], /has no node "node-9"\n {2}there are: node-1, node-2/, 1],
  [['node start'], /node start: which node\?/, 2],
  [['node add', 'Node'], /no node can be called "Node"/, 1],
  [['node stop', 'node-1', '--part', 'kubelet'], /a node has no part "kubelet"\n {2}it has agent, proxy, flannel/, 2],
  [['node stop', 'node-1', 'node-2'], /one node at a time/, 2],
  [['node remove', 'node-1'], /unknown command "node remove"/, 2],
  [['stop', 'now'], /stop takes no argument "now"/, 2],
  [['stop', '--grace-period', '-1s'], /--grace-period: must be a duration such as 30s/, 2],
  [['exec', 'pod/a/b/c', '--', 'true'], /"pod\/a\/b\/c" names no pod/, 2],
  [['curl', '--header', 'bad', '10.168.0.2'], /^fairway: --header: not NAME:VALUE: bad/, 2],
  [['up', '--pod-cidr', '10.245.0.0/16'], /is there already, with --pod-cidr 10.244.0.0\/16 and not 10.245.0.0\/16/, 1],
  [['up', '--nodes', '1'], /has 2 nodes already, more than 1\n {2}take nodes away with: fairway node delete/, 1],
]
for (const [words, message, exitCode] of refusals)
  test(`refused: ${words.join(' ')}`, { skip }, () => {
    const { status, stderr } = live.fairway(...(words as [string, ...string[]]))
    assert.match(stderr, message)
    assert.equal(status, exitCode)
    assert.equal(runningProcesses(requireCluster(live.name).paths).size, 3)
  })

test('commands about a cluster that there is not', { skip }, () => {
  for (const command of ['start', 'stop', 'status'])
    assert.match(fairway([command, '--name', 't-none']).stderr, /there is no cluster "t-none"\n {2}there are: /)
  assert.match(fairway(['start', '--name', '../x']).stderr, /--name: must be up to 40 lower-case letters/)
})

const keeper = {
  spec: {
    containers: [
      {
        name: 'keeper',
        image: 'busybox',
        command: ['sh', '-c', 'echo started; exec sleep 1000'],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', emptyDir: {} }],
    terminationGracePeriodSeconds: 0,
  },
}

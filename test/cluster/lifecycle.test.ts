// What becomes of a cluster: again and again up and down, interrupted, killed, mended. Nothing of it is ever left behind.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { requireCluster } from '#lab/cluster-file.ts'
import { inhabitants } from '#lab/inhabitants.ts'
import { runningProcesses } from '#lab/processes.ts'
import { signalProcess, whenExited } from '#kernel/process.ts'
import { machineState } from '#test/cluster/leftovers.ts'
import { fairway, run, startFairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
const name = `t-life-${process.pid}`
const others = [`t-other-${process.pid}`, `t-third-${process.pid}`] as const
const words = ['up', '--name', name, '--nodes', '2', '-f', 'examples/hostnames.yaml']
const kubectl = (...args: string[]) => run(['kubectl', ...args], { KUBECONFIG: `/var/lib/fairway/${name}/kubeconfig` })
const before = skip === false ? machineState(name) : undefined
after(() => {
  if (skip !== false) return
  for (const cluster of [name, ...others]) fairway(['down', '--name', cluster])
})

const up = (): string => {
  const { status, stdout, stderr } = fairway(words)
  assert.equal(status, 0, stderr)
  return stdout
}
const down = (): void => {
  const { status, stderr } = fairway(['down', '--name', name])
  assert.equal(status, 0, stderr)
  assert.deepEqual(machineState(name), before)
}
/** Parts of a node may be ready a moment after its agent. */
const untilWell = (cluster: string) =>
  until(() => {
    const { status, stdout } = fairway(['status', '--name', cluster])
    assert.equal(status, 0, stdout)
  })
const pids = () => [...runningProcesses(requireCluster(name).paths)].map(([part, { pid }]) => `${part} ${pid}`).sort()
const podsOf = () =>
  kubectl(
    'get',
    'pods',
    '-l',
    'app=hostnames',
    '-o',
    'jsonpath={range .items[*]}{.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\\n"}{end}',
  )
    .trim()
    .split('\n')
    .sort()

test('up twice: the same cluster, untouched', { skip }, () => {
  const first = up()
  assert.match(first, /^export KUBECONFIG=\/var\/lib\/fairway\/.*\/kubeconfig$/m)
  const [processes, pods] = [pids(), podsOf()]
  const version = () => kubectl('get', 'service', 'hostnames', '-o', 'jsonpath={.metadata.resourceVersion}')
  const written = version()
  const second = up()
  assert.deepEqual(pids(), processes)
  assert.deepEqual(podsOf(), pods)
  assert.equal(version(), written)
  const services = (text: string) => text.slice(text.indexOf('SERVICE '), text.indexOf('REQUEST '))
  assert.equal(services(second), services(first))
})

test('up with other options: refused, the cluster stays', { skip }, () => {
  const processes = pids()
  const { status, stderr } = fairway(['up', '--name', name, '--proxy-mode', 'iptables'])
  assert.equal(status, 1)
  assert.match(stderr, /is there already, with --proxy-mode nftables and not iptables\n {2}remove it first/)
  assert.deepEqual(pids(), processes)
})

test('a file that is refused: the cluster stays, nothing of the file is applied', { skip }, () => {
  const folder = `/tmp/${name}.yaml`
  const good = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n'
  run([
    'sh',
    '-c',
    `printf '%s' "$1" > "$2"`,
    'sh',
    `${good}---\napiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: []}\n`,
    folder,
  ])
  const { status, stderr } = fairway(['up', '--name', name, '--nodes', '2', '-f', folder])
  run(['rm', folder])
  assert.equal(status, 1)
  assert.match(stderr, /\.yaml:5: Service "bad" is invalid: spec.ports: Required value/)
  assert.throws(() => kubectl('get', 'configmap', 'fine'), /NotFound/)
  assert.equal(runningProcesses(requireCluster(name).paths).size, 3)
})

test('a node’s process is killed: status tells, up mends, its pods go on', { skip }, async () => {
  const plan = requireCluster(name)
  const pods = podsOf()
  const node = runningProcesses(plan.paths).get('node-2')!
  signalProcess(node, 'SIGKILL')
  await whenExited(node)
  const status = fairway(['status', '--name', name])
  assert.equal(status.status, 1)
  assert.match(status.stdout, /^unwell:\n {2}node-2 does not run$/m)
  up()
  assert.equal(runningProcesses(plan.paths).size, 3)
  assert.deepEqual(podsOf(), pods)
  await untilWell(name)
})

test('clusters beside it, made at the same time, each have a network of their own', { skip }, async () => {
  const file = `/tmp/${name}-kubeconfig`
  const env = { KUBECONFIG: file }
  const contexts = () => run(['kubectl', 'config', 'get-contexts', '-o', 'name'], env).split('\n')
  const [first, ...more] = others.map((cluster) => ['up', '--name', cluster, '--nodes', '1'])
  const starting = [startFairway([...first!, '--merge-kubeconfig'], env), ...more.map((words) => startFairway(words))]
  const ended = starting.map((child) => new Promise((resolve) => child.on('exit', resolve)))
  assert.deepEqual(await Promise.all(ended), [0, 0])
  const all = [name, ...others]
  for (const cluster of [name, others[1]])
    assert.equal(fairway(['kubeconfig', '--name', cluster, '--merge'], { env }).status, 0)
  assert.deepEqual(contexts(), [...all.map((cluster) => `fairway-${cluster}`).sort(), ''])
  assert.match(run(['kubectl', '--context', `fairway-${others[0]}`, 'get', 'nodes'], env), /^node-1 .*\n$/m)
  assert.equal(new Set(all.map((cluster) => requireCluster(cluster).options.lanCidr)).size, 3)
  for (const cluster of all) await untilWell(cluster)
  for (const cluster of others) assert.equal(fairway(['down', '--name', cluster]).status, 0)
  assert.deepEqual(contexts(), [`fairway-${name}`, ''])
  run(['rm', file])
  await untilWell(name)
})

test('everything is killed: down leaves nothing', { skip }, async () => {
  const plan = requireCluster(name)
  const all = inhabitants(plan.paths)
  // Three processes of the cluster, five pods with their monitors.
  assert.ok(all.length >= 3 + 5 * 2, `${all.length} processes`)
  for (const identity of all) signalProcess(identity, 'SIGKILL')
  await Promise.all(all.map(whenExited))
  down()
  down()
})

test('everything is killed: up mends', { skip }, async () => {
  up()
  const plan = requireCluster(name)
  const uid = kubectl('get', 'namespace', 'default', '-o', 'jsonpath={.metadata.uid}')
  const all = inhabitants(plan.paths)
  for (const identity of all) signalProcess(identity, 'SIGKILL')
  await Promise.all(all.map(whenExited))
  up()
  assert.equal(kubectl('get', 'namespace', 'default', '-o', 'jsonpath={.metadata.uid}'), uid)
  down()
})

test('interrupted at any moment: nothing is left', { skip }, async () => {
  const random = seeded(1)
  const rounds = process.env['FAIRWAY_SOAK'] ? 100 : 5
  for (let round = 0; round < rounds; round++) {
    const afterMs = random.integer(0, 1500)
    const child = startFairway(words)
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    await sleep(afterMs)
    child.kill('SIGINT')
    const status = await ended
    // It may have been done by then.
    if (status === 0) down()
    else assert.ok(status === 130 || status === null, `ended with ${status} after ${afterMs} ms`)
    assert.deepEqual(machineState(name), before, `interrupted after ${afterMs} ms`)
  }
})

test('killed at any moment of up and of down: down leaves nothing, up mends', { skip }, async () => {
  const random = seeded(2)
  const rounds = process.env['FAIRWAY_SOAK'] ? 100 : 4
  for (let round = 0; round < rounds; round++) {
    const afterMs = random.integer(100, 1500)
    const child = startFairway(words)
    const ended = new Promise((resolve) => child.on('exit', resolve))
    await sleep(afterMs)
    child.kill('SIGKILL')
    await ended
    if (round % 2 === 0) {
      up()
      const ending = startFairway(['down', '--name', name])
      const hasEnded = new Promise((resolve) => ending.on('exit', resolve))
      await sleep(random.integer(80, 350))
      ending.kill('SIGKILL')
      await hasEnded
    }
    down()
  }
})

test('logs of parts are there', { skip }, () => {
  up()
  const list = fairway(['logs', '--name', name]).stdout.trim().split('\n')
  for (const part of ['control-plane', 'kube-proxy-node-1', 'kubelet-node-2'])
    assert.ok(list.includes(part), list.join(' '))
  assert.match(fairway(['logs', 'kube-proxy-node-1', '--name', name]).stdout, /Using nftables Proxier/)
  assert.match(
    fairway(['logs', 'kube-proxy', '--name', name]).stderr,
    /there is no log of "kube-proxy"\n {2}did you mean/,
  )
  const path = `/var/lib/fairway/${name}/logs/kubelet-node-1.log`
  assert.equal(
    fairway(['logs', 'kubelet-node-1', '--tail', '1', '--name', name]).stdout.trim(),
    readFileSync(path, 'utf8').trim().split('\n').at(-1),
  )
  down()
})

// Two machines (each a network, mount and UTS namespace) join a cluster with nothing but its address and a bootstrap token,
// run pods that reach each other, come back without a token, and one leaves without a trace.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { fairway, run } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({
  root: true,
  programs: ['kubectl', 'conmon', 'crun', 'iptables', 'ip', 'nft', 'unshare', 'nsenter'],
})
const server = 'https://10.66.0.1:6443'

/** `holder` keeps its namespaces. */
type Machine = { readonly name: string; readonly holder: ChildProcess; agent: ChildProcess | undefined; said: string }

let folder: string
let controlPlane: ChildProcess
const machines: Machine[] = []
let token = ''
let hash = ''

const main = [process.execPath, '--disable-warning=ExperimentalWarning', resolve('src/cli/main.ts')]

before(async () => {
  if (skip !== false) return
  folder = mkdtempSync(join(tmpdir(), 'fairway-join-'))
  run(['sh', '-c', 'ip link add br-join type bridge && ip addr add 10.66.0.1/24 dev br-join && ip link set br-join up'])
  const flags = {
    'bind-address': '10.66.0.1',
    'data-file': join(folder, 'store.db'),
    // Agents have to prove who they are.
    'kubelet-certificate-authority': join(folder, 'ca.crt'),
    'controllers-health-address': '0',
  }
  const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  controlPlane = spawn(main[0]!, [...main.slice(1), 'control-plane', '--use-service-account-credentials', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise<void>((done, reject) => {
    let said = ''
    controlPlane.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('ready on port')) done()
    })
    controlPlane.once('exit', () => reject(new Error(said)))
  })
  for (const [index, name] of ['machine-a', 'machine-b'].entries()) machines.push(await makeMachine(name, index + 2))
  const { stdout } = fairway(['token', 'create', '--kubeconfig', join(folder, 'kubeconfig')])
  ;[, token = '', hash = ''] = /--token (\S+) --ca-cert-hash (\S+)/.exec(stdout) ?? []
})
after(async () => {
  for (const machine of machines) {
    // With its pods, which outlive an agent.
    if (machine.agent?.exitCode === null && machine.agent.signalCode === null) await endAgent(machine)
    on(machine, [...main, 'node', 'leave'].join(' '))
    machine.holder.kill('SIGKILL')
  }
  controlPlane?.kill('SIGKILL')
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

async function makeMachine(name: string, address: number): Promise<Machine> {
  const root = join(folder, name)
  mkdirSync(root)
  const own =
    `hostname ${name}; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /sys/fs/cgroup; mount -t tmpfs tmpfs /run; ` +
    `mkdir -p /run/netns /run/lock /var/lib/fairway-node; mount --bind ${root} /var/lib/fairway-node; echo ready; exec sleep 600`
  const holder = spawn('unshare', ['--net', '--mount', '--uts', '--propagation', 'private', 'sh', '-c', own], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((done) => holder.stdout.once('data', done))
  const link = `v-${name.at(-1)}`
  run([
    'sh',
    '-c',
    `ip link add ${link} type veth peer name eth0 netns ${holder.pid} && ip link set ${link} master br-join up`,
  ])
  const machine = { name, holder, agent: undefined, said: '' }
  const inside = `ip link set lo up; ip addr add 10.66.0.${address}/24 dev eth0; ip link set eth0 up; ip route add default via 10.66.0.1`
  assert.equal(on(machine, inside).status, 0)
  return machine
}

const entering = ({ holder }: Machine) => ['nsenter', '-t', String(holder.pid), '-n', '-m', '-u', '--']

function on(machine: Machine, script: string): { status: number | null; text: string } {
  const [program = '', ...words] = [...entering(machine), 'sh', '-c', script]
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' })
  return { status, text: `${stdout}${stderr}` }
}

/** Starts the agent of a machine; an end with an error shows what it said. */
function startAgent(machine: Machine, ...words: readonly string[]): void {
  const [program = '', ...all] = [...entering(machine), ...main, 'node', '--server', server, ...words]
  const agent = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] })
  agent.stderr.on('data', (chunk: Buffer) => (machine.said += chunk.toString()))
  machine.agent = agent
}

async function endAgent(machine: Machine): Promise<void> {
  assert.equal(machine.agent!.exitCode, null, machine.said)
  const ended = new Promise((done) => machine.agent!.once('exit', done))
  machine.agent!.kill('SIGTERM')
  await ended
}

const kubectl = (...words: readonly string[]) =>
  run(['kubectl', ...words], { KUBECONFIG: join(folder, 'kubeconfig'), HOME: folder })

test('without the right token, or at another cluster, nobody joins', { skip }, async () => {
  await until(() =>
    assert.match(kubectl('-n', 'kube-public', 'get', 'configmap', 'cluster-info', '-o', 'yaml'), /jws-kubeconfig-/),
  )
  const [a] = machines
  const tryWith = (...words: string[]) =>
    on(a!, [...main, 'node', '--server', server, ...words].map((word) => `'${word}'`).join(' '))
  const stranger = `${token.slice(0, 6)}.${'0'.repeat(16)}`
  for (const [words, message] of [
    [[], /--token is missing/],
    [['--token', 'nonsense'], /six characters, a dot and sixteen more/],
    [['--token', stranger], /is not signed with this token/],
    [['--token', 'aaaaaa.0123456789abcdef'], /knows no token aaaaaa/],
    [
      ['--token', token, '--ca-cert-hash', `sha256:${'0'.repeat(64)}`],
      /its authority is sha256:[0-9a-f]+, not sha256:0+/,
    ],
  ] as const) {
    const { status, text } = tryWith(...words)
    assert.notEqual(status, 0)
    assert.match(text, message)
  }
  assert.equal(kubectl('get', 'nodes', '-o', 'name'), '')
})

test('a token that is over goes, and with it its signature', { skip }, async () => {
  const over = new Date(Date.now() + 1500).toISOString().replace(/\.\d+/, '')
  const data = {
    'token-id': 'zzzzzz',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-signing': 'true',
    expiration: over,
  }
  const literals = Object.entries(data).map(([name, value]) => `--from-literal=${name}=${value}`)
  const words = [
    'create',
    'secret',
    'generic',
    'bootstrap-token-zzzzzz',
    '--type=bootstrap.kubernetes.io/token',
    ...literals,
  ]
  kubectl('-n', 'kube-system', ...words)
  await until(() => {
    assert.doesNotMatch(kubectl('-n', 'kube-system', 'get', 'secrets', '-o', 'name'), /zzzzzz/)
    const info = kubectl('-n', 'kube-public', 'get', 'configmap', 'cluster-info', '-o', 'yaml')
    assert.doesNotMatch(info, /jws-kubeconfig-zzzzzz/)
    assert.match(info, /jws-kubeconfig-/, 'the other token stays')
  })
})

test('two machines join, and their pods reach each other', { skip }, async () => {
  for (const machine of machines) startAgent(machine, '--token', token, '--ca-cert-hash', hash)
  await until(() => {
    const nodes = kubectl('get', 'nodes', '-o', 'wide')
    for (const [index, { name, said }] of machines.entries())
      assert.match(nodes, new RegExp(`^${name} +Ready .* 10\\.66\\.0\\.${index + 2} `, 'm'), `${nodes}\n${said}`)
  })
  // For each node a certificate as a client and one to serve with.
  await until(() => assert.equal(kubectl('get', 'csr').match(/Approved,Issued/g)?.length, 4, kubectl('get', 'csr')))
  kubectl('create', 'deployment', 'web', '--image=serve_hostname', '--replicas=4')
  kubectl('expose', 'deployment', 'web', '--port=80', '--target-port=9376')
  await until(() => kubectl('rollout', 'status', 'deployment/web', '--timeout=1s'))
  const pods = kubectl(
    'get',
    'pods',
    '-l',
    'app=web',
    '-o',
    'jsonpath={range .items[*]}{.metadata.name} {.status.podIP} {.spec.nodeName}{"\\n"}{end}',
  )
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
  const onA = pods.find(([, , node]) => node === 'machine-a')!
  const onB = pods.find(([, , node]) => node === 'machine-b')!
  const ip = kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')
  for (const url of [`http://${onB[1]}:9376/`, `http://${ip}/`])
    await until(() => assert.match(kubectl('exec', onA[0]!, '--', 'curl', '-sS', '-m', '2', url), /^web-/))
  await until(() => assert.ok(kubectl('logs', onB[0]!).length > 0))
})

test('a node may do nothing to another one', { skip }, () => {
  const asA = ['--kubeconfig', join(folder, 'machine-a', 'kubeconfig')]
  assert.throws(() => kubectl('delete', 'node', 'machine-b', ...asA), /forbidden/i)
  assert.throws(() => kubectl('get', 'secrets', '-A', ...asA), /forbidden/i)
})

test('it comes back without its token', { skip }, async () => {
  const [a] = machines
  const restarts = () => kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.containerStatuses[0].restartCount}')
  await endAgent(a!)
  startAgent(a!)
  await until(() => assert.match(a!.said, /Node was previously registered/))
  assert.equal(restarts(), '0 0 0 0')
})

test('it leaves: its pods end and start elsewhere, its Node goes, and nothing of it stays', { skip }, async () => {
  const b = machines[1]!
  await endAgent(b)
  const { status, text } = on(b, [...main, 'node', 'leave'].join(' '))
  assert.equal(status, 0, text)
  assert.match(text, /machine-b has left the cluster/)
  assert.equal(kubectl('get', 'nodes', '-o', 'name'), 'node/machine-a\n')
  await until(() => kubectl('rollout', 'status', 'deployment/web', '--timeout=1s'))
  assert.doesNotMatch(kubectl('get', 'pods', '-o', 'wide'), /machine-b/)
  assert.equal(on(b, 'ls -A /var/lib/fairway-node /run/netns').text.replaceAll(/^\S+:$|\n/gm, ''), '')
  assert.match(on(b, 'ip -br link').text, /^lo .*\neth0\S* .*\n$/)
  assert.doesNotMatch(on(b, 'ip route').text, /10\.244/)
  assert.equal(on(b, 'nft list ruleset; ip6tables-save; iptables-save').text.match(/fairway|KUBE|FLANNEL/g), null)
  // Its pods' monitors were in its own mount namespace.
  const monitors =
    'for pid in $(pgrep conmon); do readlink /proc/$pid/ns/mnt; done | grep -c "$(readlink /proc/self/ns/mnt)"'
  assert.equal(on(b, monitors).text.trim(), '0')
})

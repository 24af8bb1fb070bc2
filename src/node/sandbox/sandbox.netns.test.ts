import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { withNetns } from '#kernel/netns.ts'
import { planNetwork } from '#node/cni/network.ts'
import { rotateLogs } from '#node/logs/rotate-logs.ts'
import type { ContainerConfig, ContainerStatus, SandboxConfig } from '#node/runtime.ts'
import { openSandboxRuntime, type SandboxRuntime } from '#node/sandbox/open-runtime.ts'
import { needOwnNetwork } from '#node/testing/own-network.ts'
import { noTraces, observeTraces } from '#node/testing/traces.ts'
import { need } from '#test/need.ts'
import { until, untilSeen } from '#test/until.ts'

const skip = need({ root: true, programs: ['conmon', 'crun', 'python3', 'curl'] }) || needOwnNetwork()
const root = mkdtempSync(join(tmpdir(), 'fairway-sandbox-'))
const hosts = join(root, 'hosts')
writeFileSync(hosts, '127.0.0.1 localhost web\n')
const runFolder = `/run/fairway-test-${process.pid}`
after(async () => {
  if (!skip) {
    const runtime = await open()
    for (const { id } of runtime.listPodSandboxes()) await runtime.removePodSandbox(id)
  }
  rmSync(root, { recursive: true, force: true })
})

async function open(): Promise<SandboxRuntime> {
  const runtime = await openSandboxRuntime({
    stateFolder: join(root, 'state'),
    runFolder,
    secretFolders: [],
    imageFolder: undefined,
    clock: systemClock,
    log: silentLog,
  })
  runtime.setNetwork(planNetwork(['10.244.9.0/24'], { hairpin: 'hairpin-veth', mtu: 1500 })!)
  return runtime
}

const sandboxConfig = (name: string, part: Partial<SandboxConfig> = {}): SandboxConfig => ({
  metadata: { name, namespace: 'default', uid: name, attempt: 0 },
  hostname: name,
  dns: { servers: ['10.96.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
  portMappings: [],
  logDirectory: join(root, 'logs', name),
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  sysctls: {},
  labels: {},
  annotations: {},
  ...part,
})

const containerConfig = (command: readonly string[], part: Partial<ContainerConfig> = {}): ContainerConfig => ({
  metadata: { name: 'main', attempt: 0 },
  image: 'python:3.7',
  imageRef: '',
  command,
  args: [],
  workingDir: '',
  env: [],
  mounts: [{ containerPath: '/etc/hosts', hostPath: hosts, readOnly: false, propagation: 'private' }],
  logPath: 'main/0.log',
  stdin: false,
  stdinOnce: false,
  tty: false,
  security: {
    privileged: false,
    supplementalGroups: [],
    addCapabilities: [],
    dropCapabilities: [],
    readOnlyRoot: false,
    noNewPrivileges: false,
  },
  labels: {},
  annotations: {},
  ...part,
})

async function run(runtime: SandboxRuntime, sandbox: string, config: ContainerConfig): Promise<string> {
  const id = await runtime.createContainer(sandbox, config)
  await runtime.startContainer(id)
  return id
}

const exited = (runtime: SandboxRuntime, id: string): Promise<ContainerStatus> =>
  untilSeen(() => {
    const status = runtime.containerStatus(id)
    return status?.state === 'exited' && status
  })
const logOf = (status: ContainerStatus) =>
  readFileSync(status.logPath, 'utf8')
    .split('\n')
    .map((line) => line.split(' ').slice(1).join(' '))
    .join('\n')

/** The watchers of containers end by themselves, a moment after these. */
const leftNothing = () => until(() => assert.deepEqual(observeTraces(join(root, 'state'), runFolder), noTraces))

test('a pod runs, is seen from the node, and leaves nothing behind', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('web'))
  const { ips, netns } = runtime.podSandboxStatus(sandbox)!
  assert.deepEqual(ips, ['10.244.9.2'])
  const script = 'echo "<p>$(hostname)</p>" > index.html; exec python -m http.server 80'
  const id = await run(runtime, sandbox, containerConfig(['sh', '-c', script], { workingDir: '/tmp/site' }))
  const answer = await untilSeen(() => curl('http://10.244.9.2/'))
  assert.equal(answer, '<p>web</p>\n')

  const [port] = readdirSync('/sys/devices/virtual/net').includes('cni0') ? ['cni0'] : []
  if (port) assert.ok(existsSync('/sys/devices/virtual/net/cni0/brif'))
  using route = openRoute()
  assert.deepEqual(
    route.links().flatMap((link) => (link.name.startsWith('veth') ? [link.port?.hairpin] : [])),
    [true],
  )
  using inside = openRoute(netns)
  assert.deepEqual(
    inside.routes({ family: 4 }).map(({ destination, via }) => [destination, via]),
    [
      ['default', '10.244.9.1'],
      ['10.244.9.0/24', undefined],
    ],
  )

  const { exitCode, stdout } = await runtime.execSync(id, ['cat', '/etc/resolv.conf', '/etc/hostname'], 5000)
  assert.equal(exitCode, 0)
  assert.equal(
    Buffer.from(stdout).toString(),
    'search default.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\nweb\n',
  )
  const hidden = await runtime.execSync(id, ['sh', '-c', `ls /root /home /tmp /run; cat /etc/shadow; ps ax`], 5000)
  assert.doesNotMatch(Buffer.from(hidden.stdout).toString(), /fairway|crun|\$6\$|node /)
  await assert.rejects(runtime.execSync(id, ['sleep', '5'], 100), /timed out after 0.1s/)
  assert.equal((await runtime.execSync(id, ['sh', '-c', 'exit 7'], 5000)).exitCode, 7)

  await runtime.stopPodSandbox(sandbox)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
  assert.equal(runtime.listContainers().length, 0)
})

test('exit codes, logs of both streams, a command that is not there', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('codes'))
  const id = await run(runtime, sandbox, containerConfig(['sh', '-c', 'echo out; echo err >&2; printf tail; exit 3']))
  const status = await exited(runtime, id)
  assert.equal(status.exitCode, 3)
  assert.equal(status.reason, 'Error')
  assert.ok(status.startedAt! <= status.finishedAt!)
  assert.deepEqual(logOf(status).split('\n').toSorted(), ['', 'stderr F err', 'stdout F out', 'stdout P tail'])
  await assert.rejects(
    run(runtime, sandbox, containerConfig(['/no/such/program'], { metadata: { name: 'bad', attempt: 0 } })),
    /no\/such\/program/,
  )
  const again = await runtime.pullImage('mysql', true)
  assert.match(again.note!, /root file system/)
  await assert.rejects(runtime.pullImage('mysql', false), /give the container a command/)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

/** A writer that keeps what it gets. */
function sink() {
  const parts: Buffer[] = []
  const stream = new Writable({ write: (part: Buffer, _encoding, done) => (parts.push(part), done()) })
  return { stream, text: () => Buffer.concat(parts).toString() }
}

test('exec with streams, on pipes and on a terminal', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('streams'))
  const id = await run(runtime, sandbox, containerConfig(['sleep', '1000']))
  const { signal } = new AbortController()
  const [out, err] = [sink(), sink()]
  const streams = { stdin: Readable.from([Buffer.from('one\ntwo\n')]), stdout: out.stream, stderr: err.stream }
  const code = await runtime.exec(id, ['sh', '-c', 'wc -l; echo no >&2; exit 4'], { tty: false, streams, signal })
  assert.deepEqual([code, out.text(), err.text()], [4, '2\n', 'no\n'])

  const screen = sink()
  const sizes = (async function* () {
    yield { width: 80, height: 24 }
  })()
  const words = ['sh', '-c', 'tty; until [ "$(stty size)" != "0 0" ]; do sleep 0.05; done; stty size']
  await runtime.exec(id, words, { tty: true, streams: { stdout: screen.stream, resizes: sizes }, signal })
  assert.equal(screen.text(), '/dev/pts/0\r\n24 80\r\n')

  const gone = new AbortController()
  const long = runtime.exec(id, ['sleep', '999'], { tty: false, streams: {}, signal: gone.signal })
  await untilSeen(() => readdirSync(`${runFolder}/containers/${id}`).some((name) => name.startsWith('exec-')))
  await systemClock.sleep(50)
  gone.abort()
  assert.equal(await long, 137)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

test('attaching: what it says and what it is told', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('attached'))
  const script = 'read line; echo "got $line"; echo bad >&2; read rest || echo end'
  const config = containerConfig(['sh', '-c', script], { stdin: true, stdinOnce: true })
  const id = await run(runtime, sandbox, config)
  const [out, err] = [sink(), sink()]
  const { signal } = new AbortController()
  const streams = { stdin: Readable.from([Buffer.from('hello\n')]), stdout: out.stream, stderr: err.stream }
  await runtime.attach(id, { streams, signal })
  assert.deepEqual([out.text(), err.text()], ['got hello\nend\n', 'bad\n'])
  assert.equal((await exited(runtime, id)).exitCode, 0)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

test('a log that has grown goes on in a new file', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('talks'))
  const id = await run(
    runtime,
    sandbox,
    containerConfig(['sh', '-c', 'n=0; while :; do echo line $n; n=$((n+1)); sleep 0.01; done']),
  )
  const { logPath } = runtime.containerStatus(id)!
  await untilSeen(() => statSync(logPath, { throwIfNoEntry: false })?.size)
  const [aside] = await rotateLogs(runtime, 0, 1)
  assert.ok(aside?.endsWith('0.log.19700101-000000.000'))
  await untilSeen(() => statSync(logPath, { throwIfNoEntry: false })?.size)
  const numbers = (path: string) => [...readFileSync(path, 'utf8').matchAll(/line (\d+)\n/g)].map(([, n]) => Number(n))
  const all = [...numbers(aside!), ...numbers(logPath)]
  assert.deepEqual(all, [...all.keys()])
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

test('stopping: the signal first, then the kill; a shorter time hastens', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('stop'))
  const polite = await run(
    runtime,
    sandbox,
    containerConfig(['sh', '-c', 'trap "exit 5" TERM; echo up; while :; do sleep 0.02; done']),
  )
  await untilSeen(() => logOf(runtime.containerStatus(polite)!).includes('up'))
  await runtime.stopContainer(polite, 20_000)
  assert.equal(runtime.containerStatus(polite)!.exitCode, 5)
  const deaf = await run(
    runtime,
    sandbox,
    containerConfig(['sleep', '1000'], { metadata: { name: 'deaf', attempt: 0 } }),
  )
  const slow = runtime.stopContainer(deaf, 60_000)
  await runtime.stopContainer(deaf, 50)
  await slow
  assert.equal(runtime.containerStatus(deaf)!.exitCode, 137)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

test('another agent finds pods again: running, ended meanwhile, and killed with their watcher', { skip }, async () => {
  const first = await open()
  const sandbox = await first.runPodSandbox(sandboxConfig('again'))
  const running = await run(first, sandbox, containerConfig(['sleep', '1000']))
  const ending = await run(
    first,
    sandbox,
    containerConfig(['sh', '-c', 'sleep 0.3; exit 4'], { metadata: { name: 'b', attempt: 2 } }),
  )
  const lost = await run(first, sandbox, containerConfig(['sleep', '1000'], { metadata: { name: 'c', attempt: 0 } }))
  process.kill(Number(readFileSync(`${runFolder}/containers/${lost}/conmon.pid`, 'utf8')), 'SIGKILL')

  const second = await open()
  assert.deepEqual(second.podSandboxStatus(sandbox), first.podSandboxStatus(sandbox))
  assert.equal(second.containerStatus(running)!.state, 'running')
  assert.equal((await exited(second, ending)).exitCode, 4)
  assert.equal(second.containerStatus(ending)!.metadata.attempt, 2)
  const end = await exited(second, lost)
  assert.deepEqual([end.exitCode, end.reason], [255, 'Unknown'])
  assert.equal(
    (await second.execSync(running, ['hostname'], 5000)).stdout.toString(),
    Buffer.from('again\n').toString(),
  )
  await second.removePodSandbox(sandbox)
  await leftNothing()
})

test('a pod on the host network', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('host', { hostNetwork: true }))
  assert.deepEqual(runtime.podSandboxStatus(sandbox)!.ips, [])
  const id = await run(runtime, sandbox, containerConfig(['ls', '/sys/class/net']))
  assert.match(logOf(await exited(runtime, id)), /cni0/)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

test('built-in images', { skip }, async () => {
  const runtime = await open()
  const sandbox = await runtime.runPodSandbox(sandboxConfig('hostnames-1'))
  const [ip] = runtime.podSandboxStatus(sandbox)!.ips
  const { note } = await runtime.pullImage('k8s.gcr.io/serve_hostname', false)
  assert.match(note!, /not pulled: its built-in stand-in runs/)
  await run(runtime, sandbox, containerConfig([], { image: 'k8s.gcr.io/serve_hostname' }))
  await run(runtime, sandbox, containerConfig([], { image: 'nginx:1.7.9', metadata: { name: 'nginx', attempt: 0 } }))
  assert.equal(await untilSeen(() => curl(`http://${ip}:9376`)), 'hostnames-1')
  assert.match(await untilSeen(() => curl(`http://${ip}`)), /Welcome to nginx!/)
  assert.match(await untilSeen(() => curl('-k', `https://${ip}`)), /Welcome to nginx!/)
  await runtime.removePodSandbox(sandbox)
  await leftNothing()
})

const curl = (...words: string[]): string | undefined => {
  try {
    return withNetns(undefined, () =>
      execFileSync('curl', ['-s', '-m', '2', '--noproxy', '*', ...words], { encoding: 'utf8' }),
    )
  } catch {
    return undefined
  }
}

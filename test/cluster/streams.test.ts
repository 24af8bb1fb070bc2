// What stays open: exec, attach, cp, port-forward, run and logs, by the kubectl on the PATH and by those that FAIRWAY_KUBECTLS
// names (paths with colons). They speak SPDY/3.1 (before 1.30), WebSockets, or SPDY inside a WebSocket.
import * as assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { given, type Kubectl } from '#test/kubectls.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'iptables', 'curl', 'script'] })
let live: LiveCluster
let folder: string

const talker = `
apiVersion: v1
kind: Pod
metadata: {name: talker, labels: {app: talker}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
    - {name: first, image: x, command: [echo, from the first]}
  containers:
    - {name: one, image: x, command: [sh, -c, 'echo one 1; sleep 1.1; echo one 2; sleep 1000']}
    - {name: two, image: x, command: [sh, -c, 'echo two 1 >&2; sleep 0.3; echo two 2; sleep 1000']}
    - {name: listener, image: x, stdin: true, tty: true, command: [sh]}
---
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: python
      image: x
      workingDir: /srv
      command: [sh, -c, 'echo welcome > index.html; python3 -m http.server --bind 127.0.0.1 8080']
`

before(async () => {
  if (skip !== false) return
  folder = mkdtempSync(join(tmpdir(), 'fairway-streams-'))
  live = new LiveCluster('streams', ['--nodes', '1'])
  assert.equal(live.tryKubectl(['apply', '-f', '-'], talker).status, 0)
  live.kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=30s')
  await until(() => assert.match(live.kubectl('logs', 'talker', '-c', 'one'), /one 2/))
})
after(() => {
  live?.down()
  if (folder !== undefined) rmSync(folder, { recursive: true })
})

type Said = { readonly status: number | null; readonly out: string; readonly err: string }

/** kubectl with an input, however it ends. */
function ask({ path }: Kubectl, words: readonly string[], input: string | Uint8Array = ''): Promise<Said> {
  return collect(spawn(path, words, { env: { ...process.env, ...live.env, HOME: folder }, timeout: 30_000 }), input)
}

/** kubectl on a terminal, on which `keys` are typed. */
function type({ path }: Kubectl, words: readonly string[], keys: string): Promise<Said> {
  const env = { ...process.env, ...live.env, HOME: folder, SHELL: '/bin/sh', TERM: 'xterm' }
  const line = [path, ...words.map((word) => `'${word}'`)].join(' ')
  return collect(
    spawn('script', ['-qec', `stty cols 91 rows 23; ${line}`, '/dev/null'], { env, timeout: 30_000 }),
    keys,
  )
}

function collect(child: ReturnType<typeof spawn>, input: string | Uint8Array): Promise<Said> {
  return new Promise((resolve, reject) => {
    const [out, err]: [Buffer[], Buffer[]] = [[], []]
    child.stdout!.on('data', (data: Buffer) => out.push(data))
    child.stderr!.on('data', (data: Buffer) => err.push(data))
    child.on('error', reject)
    child.on('close', (status) =>
      resolve({ status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    )
    child.stdin!.on('error', () => undefined)
    child.stdin!.end(input)
  })
}

async function execWorks(kubectl: Kubectl): Promise<void> {
  const sh = (script: string, input?: Uint8Array) =>
    ask(kubectl, ['exec', ...(input ? ['-i'] : []), 'talker', '-c', 'one', '--', 'sh', '-c', script], input)
  assert.deepEqual(await sh('echo out; echo err >&2'), { status: 0, out: 'out\n', err: 'err\n' })
  const failed = await sh('exit 7')
  assert.equal(failed.status, 7, failed.err)
  // Much more than any window or buffer, and every byte.
  const large = randomBytes(3_000_000)
  const sum = createHash('sha256').update(large).digest('hex')
  assert.equal((await sh('sha256sum', large)).out, `${sum}  -\n`)
  assert.equal((await sh('head -c 5000000 /dev/zero')).out.length, 5_000_000)
  // The size comes after the shell has begun.
  const sized = 'until [ "$(stty size)" != "0 0" ]; do sleep 0.1; done; stty size; tty; exit 3\r'
  const shell = await type(kubectl, ['exec', '-it', 'talker', '-c', 'one', '--', 'sh'], sized)
  assert.match(shell.out, /23 91\r\n\/dev\/pts\/\d+\r\n/)
  assert.equal(shell.status, 3)
  const missing = await ask(kubectl, ['exec', 'talker', '-c', 'one', '--', 'no-such-program'])
  assert.match(missing.err, /no-such-program/)
  assert.notEqual(missing.status, 0)
}

async function attachWorks(kubectl: Kubectl): Promise<void> {
  const word = `said-${kubectl.tag}`
  const session = spawn('script', ['-qec', `${kubectl.path} attach -it talker -c listener`, '/dev/null'], {
    env: { ...process.env, ...live.env, HOME: folder, SHELL: '/bin/sh', TERM: 'xterm' },
  })
  let out = ''
  session.stdout.on('data', (data: Buffer) => (out += data.toString()))
  const ended = new Promise<void>((resolve) => session.on('close', () => resolve()))
  session.stdin.write(`echo ${word} | tr a-z A-Z\r`)
  await until(() => assert.match(out, new RegExp(word.toUpperCase())))
  session.kill('SIGTERM')
  await ended
}

async function copyWorks(kubectl: Kubectl): Promise<void> {
  const [there, back] = [join(folder, 'there'), join(folder, `back-${kubectl.tag}`)]
  mkdirSync(join(there, 'deep'), { recursive: true })
  const large = randomBytes(1_000_000)
  writeFileSync(join(there, 'deep', 'large'), large)
  writeFileSync(join(there, 'small'), 'small\n')
  const inPod = `talker:/srv/copied-${kubectl.tag}`
  for (const words of [
    ['cp', there, inPod, '-c', 'one'],
    ['cp', inPod, back, '-c', 'one'],
  ]) {
    const { status, err } = await ask(kubectl, words)
    assert.equal(status, 0, err)
  }
  assert.equal(readFileSync(join(back, 'small'), 'utf8'), 'small\n')
  assert.ok(readFileSync(join(back, 'deep', 'large')).equals(large))
}

async function forwardWorks(kubectl: Kubectl): Promise<void> {
  const child = spawn(kubectl.path, ['port-forward', 'pod/server', ':8080', ':81'], {
    env: { ...process.env, ...live.env, HOME: folder },
  })
  try {
    let said = ''
    for (const output of [child.stdout, child.stderr]) output.on('data', (data: Buffer) => (said += data.toString()))
    const portOf = (target: number) => new RegExp(`127\\.0\\.0\\.1:(\\d+) -> ${target}`).exec(said)?.[1]
    await until(() => assert.ok(portOf(8080) !== undefined && portOf(81) !== undefined, said))
    const get = async () =>
      (await fetch(`http://127.0.0.1:${portOf(8080)}/`, { headers: { connection: 'close' } })).text()
    assert.deepEqual(await Promise.all(Array.from({ length: 20 }, get)), Array(20).fill('welcome\n'))
    assert.equal(await get(), 'welcome\n')
    // Nobody listens there: the client is told so.
    await fetch(`http://127.0.0.1:${portOf(81)}/`).catch(() => undefined)
    await until(() => assert.match(said, /forwarding \d+ -> 81.*(refused|ECONNREFUSED)/))
  } finally {
    child.kill('SIGKILL')
  }
}

async function runWorks(kubectl: Kubectl): Promise<void> {
  const name = `brief-${kubectl.tag}`
  const words = ['run', name, '-i', '--rm', '--restart=Never', '--image=x', '--quiet', '--command', '--']
  const piped = await ask(kubectl, [...words, 'tr', 'a-z', 'A-Z'], 'through and through')
  assert.match(piped.out, /THROUGH AND THROUGH/)
  const shell = await type(kubectl, [...words.with(2, '-it'), 'sh'], `echo $((6 * 7)); exit 5\r`)
  assert.match(shell.out, /42\r\n/)
  assert.equal(shell.status, 5, shell.out)
  assert.equal((await ask(kubectl, ['get', 'pod', name])).status, 1)
}

async function logsWork(kubectl: Kubectl): Promise<void> {
  const logs = async (...words: string[]) => (await ask(kubectl, ['logs', ...words])).out
  assert.equal(await logs('talker', '-c', 'one'), 'one 1\none 2\n')
  assert.equal(await logs('talker', 'one', '--tail=1'), 'one 2\n')
  assert.equal(await logs('talker', '-c', 'one', '--limit-bytes=3'), 'one')
  assert.equal(await logs('talker', '-c', 'first'), 'from the first\n')
  assert.equal(await logs('talker', '-c', 'two', '--insecure-skip-tls-verify-backend'), 'two 1\ntwo 2\n')
  const stamped = (await logs('talker', '-c', 'one', '--timestamps')).split('\n')
  assert.match(stamped[0]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z one 1$/)
  const time = stamped[1]!.split(' ')[0]!
  assert.equal(await logs('talker', '-c', 'one', `--since-time=${time}`), 'one 2\n')
  assert.equal(await logs('talker', '-c', 'one', '--since=1h', '--tail=1'), 'one 2\n')
  const all = await logs('talker', '--all-containers', '--prefix')
  for (const line of ['first] from the first', 'one] one 2', 'two] two 2'])
    assert.ok(all.includes(`[pod/talker/${line}\n`), all)
  const many = await logs('-l', 'app in (talker,server)', '--all-containers', '--max-log-requests=9')
  for (const line of ['one 1', 'two 1']) assert.ok(many.includes(`${line}\n`), many)
  const following = spawn(kubectl.path, ['logs', '-f', 'talker', '-c', 'one'], { env: { ...process.env, ...live.env } })
  let followed = ''
  following.stdout.on('data', (data: Buffer) => (followed += data.toString()))
  await until(() => assert.equal(followed, 'one 1\none 2\n'))
  assert.equal(following.exitCode, null)
  following.kill('SIGKILL')
  const previous = await ask(kubectl, ['logs', 'talker', '-c', 'one', '--previous'])
  assert.match(previous.err, /previous terminated container "one" in pod "talker" not found/)
}

for (const kubectl of given())
  test(`kubectl 1.${kubectl.minor}: exec, attach, cp, port-forward, run, logs`, { skip }, async () => {
    await Promise.all([forwardWorks(kubectl), copyWorks(kubectl), logsWork(kubectl)])
    await Promise.all([execWorks(kubectl), attachWorks(kubectl)])
    await runWorks(kubectl)
  })

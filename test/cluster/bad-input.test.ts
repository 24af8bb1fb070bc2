// Every "no" of `up`: one clear message that names the remedy, an exit code, and nothing left behind.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openRoute } from '#kernel/route/open-route.ts'
import { fairway, type Ran, startFairway } from '#test/fairway.ts'
import { machineState } from '#test/cluster/leftovers.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['conmon', 'crun'] })
const name = `t-bad-${process.pid}`
const folder = mkdtempSync(join(tmpdir(), 'fairway-bad-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const file = (text: string): string => {
  const path = join(folder, 'f.yaml')
  writeFileSync(path, text)
  return path
}
const up = (...words: string[]): Ran => fairway(['up', '--name', name, '--nodes', '1', ...words])

/** Runs `act`, and sees that it fails with such words and changes nothing. */
function refuses(act: () => Ran, message: RegExp, exitCode = 1): void {
  const before = machineState(name)
  const { status, stdout, stderr } = act()
  assert.match(stderr, message)
  assert.equal(status, exitCode, stderr)
  assert.equal(stdout, '')
  assert.deepEqual(machineState(name), before)
}

test('not root', { skip }, () =>
  refuses(() => fairway(['up'], { uid: 65534 }), /^fairway: a cluster needs root: .*\n {2}run the command with sudo/),
)

test('a network that this machine has a route to', { skip }, () => {
  using own = openRoute()
  own.replaceRoute({ destination: '10.168.7.0/25', link: 'lo' })
  try {
    refuses(
      () => up('--lan-cidr', '10.168.7.0/24'),
      /network 10.168.7.0\/24 collides with this machine's route to 10.168.7.0\/25 \(lo\)\n.*--lan-cidr 10\./,
    )
  } finally {
    own.deleteRoute({ destination: '10.168.7.0/25', link: 'lo' })
  }
})

test('ranges that overlap', { skip }, () =>
  refuses(
    () => up('--pod-cidr', '10.100.0.0/16'),
    /--pod-cidr 10.100.0.0\/16 and --service-cidr 10.96.0.0\/12 overlap/,
  ),
)

test('a flag that there is not', { skip }, () =>
  refuses(() => up('--node', '2'), /unknown flag --node\n {2}did you mean --nodes/, 2),
)

test('a file that there is not', { skip }, () =>
  refuses(() => up('-f', `${folder}/none.yaml`), /none.yaml: there is no such file/),
)

test('broken YAML, with file and line', { skip }, () =>
  refuses(
    () => up('-f', file('apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n spec: {}\n')),
    /f.yaml:5: not YAML: /,
  ),
)

test('an unknown kind, with file and line', { skip }, () =>
  refuses(
    () => up('-f', file('# a comment\napiVersion: v1\nkind: Servise\nmetadata: {name: a}\n')),
    /f.yaml:2: this cluster knows no kind "Servise" in apiVersion "v1" \(did you mean Service\?\)/,
  ),
)

test('an unknown group', { skip }, () =>
  refuses(
    () => up('-f', file('apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n')),
    /f.yaml:1: this cluster knows no kind "Thing" in apiVersion "example.com\/v1"/,
  ),
)

test('an invalid Service, in the API server’s words', { skip }, () =>
  refuses(
    () => up('--service-node-port-range', '1-65535', '-f', 'examples/my-nginx-without-port.yaml'),
    /my-nginx-without-port.yaml:5: Service "my-nginx" is invalid: .*spec.ports\[0\].port: (Required value|Invalid value: 0: must be between 1 and 65535, inclusive)/,
  ),
)

test('a NodePort outside of the range', { skip }, () =>
  refuses(
    () => up('-f', 'examples/my-nginx.yaml'),
    /Service "my-nginx" is invalid: spec.ports\[0\].nodePort: Invalid value: 8080: provided port is not in the valid range. The range of valid ports is 30000-32767/,
  ),
)

test('programs that are missing, where installing is refused', { skip }, () => {
  // A PATH with next to nothing; /usr/sbin and /sbin are looked at in any case.
  const bin = mkdtempSync(join(folder, 'bin-'))
  symlinkSync(process.execPath, join(bin, 'node'))
  symlinkSync('/usr/bin/apt-get', join(bin, 'apt-get'))
  refuses(
    () => fairway(['up', '--name', name, '--no-install'], { env: { PATH: bin } }),
    /missing: .*crun.*\n {2}run: apt-get install -y .*crun/,
  )
})

test('an API server whose port is taken', { skip }, async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const words = ['apiserver', '--bind-address', '127.0.0.1', '--secure-port', String(port)]
  const child = startFairway([...words, '--data-file', join(folder, 'store.db')])
  const text = (await child.stderr.setEncoding('utf8').toArray()).join('')
  assert.match(
    text,
    new RegExp(`fairway: cannot listen on 127.0.0.1:${port}: another program listens there\n {2}find it`),
  )
  await new Promise<void>((resolve) => (child.exitCode === null ? child.on('exit', () => resolve()) : resolve()))
  assert.equal(child.exitCode, 1)
  server.close()
})

test('commands about a cluster that there is not', { skip }, () => {
  for (const words of [['status'], ['curl', 'http://10.96.0.1/'], ['exec', 'client', '--', 'true'], ['logs', 'dns']])
    refuses(() => fairway([words[0]!, '--name', name, ...words.slice(1)]), new RegExp(`there is no cluster "${name}"`))
})

test('down, where nothing is', { skip }, () => {
  const before = machineState(name)
  assert.equal(fairway(['down', '--name', name]).status, 0)
  assert.deepEqual(machineState(name), before)
})

test('a second command at the same time', { skip }, async () => {
  const { lockCluster } = await import('#lab/lock.ts')
  using _lock = lockCluster(name)
  refuses(
    () => up(),
    new RegExp(`another fairway command is at work on the cluster "${name}" \\(process ${process.pid}\\)`),
  )
})

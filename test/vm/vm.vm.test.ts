// The virtual machine itself: what goes in, what comes out, and that nothing stays.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fairway } from '#test/fairway.ts'
import { inVm, needVm } from '#test/vm/vm.ts'

const skip = needVm()
// A folder of its own: other tests have machines at the same time.
const folder = mkdtempSync(join(tmpdir(), 'fairway-vm-test-'))
process.env['TMPDIR'] = folder
after(() => rmSync(folder, { recursive: true }))
const traces = () => readdirSync(tmpdir()).filter((name) => name.startsWith('fairway-vm-'))

test('vm: input, output, errors and exit code are those of the command; nothing that it writes stays', { skip }, () => {
  const script = [
    'cat',
    'echo "$GREETING from $(hostname)" >&2',
    'pwd',
    'echo lost >fairway-vm-was-here && cat fairway-vm-was-here && echo lost >/etc/fairway-vm-was-here',
    'ls /sys/class/net',
    'exit 7',
  ].join('\n')
  const ran = inVm(['sh', '-c', script], { input: 'one\ntwo\n', env: { GREETING: "it's $HOME" } })
  assert.deepEqual(ran, {
    status: 7,
    stdout: `one\ntwo\n${process.cwd()}\nlost\nlo\n`,
    stderr: "it's $HOME from fairway-vm\n",
  })
  assert.equal(existsSync('fairway-vm-was-here') || existsSync('/etc/fairway-vm-was-here'), false)
  assert.deepEqual(traces(), [])
})

test('vm: the modules of the kernel, and an IPVS Service that answers', { skip }, () => {
  const script = [
    'modprobe -a ip_vs_rr dummy sctp',
    'ip link add kube-ipvs0 type dummy && ip addr add 10.96.0.80/32 dev kube-ipvs0',
    `${process.execPath} -e 'require("http").createServer((_, answer) => answer.end("here\\n")).listen(8080, "127.0.0.1", () =>
      require("child_process").exec("ipvsadm -A -t 10.96.0.80:80 && ipvsadm -a -t 10.96.0.80:80 -r 127.0.0.1:8080 -m", () =>
        fetch("http://10.96.0.80").then((answer) => answer.text()).then((text) => (process.stdout.write(text), process.exit()))))'`,
    'grep -ow SCTP /proc/net/protocols',
  ].join('\n')
  assert.deepEqual(inVm(['sh', '-ec', script]), { status: 0, stdout: 'here\nSCTP\n', stderr: '' })
})

test('vm: one that does not end is turned off, and one that is interrupted leaves nothing', { skip }, async () => {
  const late = fairway(['vm', '--timeout', '1s', '--', 'sleep', '1000'])
  assert.equal(late.status, 1)
  assert.match(late.stderr, /did not end in time\n {2}give it more with --timeout/)
  const child = spawn(process.execPath, ['src/cli/main.ts', 'vm', '--', 'sh', '-c', 'echo ready; sleep 1000'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  const machines = () =>
    spawnSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')
  const [qemu] = machines()
  child.kill('SIGTERM')
  const [status] = (await once(child, 'exit')) as [number | null]
  assert.equal(status, 130)
  assert.equal(existsSync(`/proc/${qemu}`), false)
  assert.deepEqual(traces(), [])
})

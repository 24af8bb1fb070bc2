// After a reboot: a cluster that was killed as a whole on this machine starts in a virtual machine, with another kernel
// and nothing left but its files; and without IPv6, which that kernel has turned off.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { signalProcess, whenExited } from '#kernel/process.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { inhabitants } from '#lab/inhabitants.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { inVm, needVm } from '#test/vm/vm.ts'

const skip = needVm() || need({ programs: ['kubectl', 'conmon', 'crun'] })
let live: LiveCluster
before(() => {
  if (skip === false) live = new LiveCluster('reboot', ['--nodes', '1', '-f', 'examples/hostnames.yaml'])
})
after(() => live?.down())

const pods = `get pods -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.podIP}{"\\n"}{end}'`

test('start brings a cluster back after a reboot, without IPv6', { skip, timeout: 900_000 }, async () => {
  const { paths } = requireCluster(live.name)
  const known = spawnSync('sh', ['-c', `kubectl ${pods}`], {
    encoding: 'utf8',
    env: { ...process.env, ...live.env },
  }).stdout
  assert.equal(known.split('\n').length, 4)
  const written = live.kubectl('create', 'configmap', 'last', '--from-literal=word=kept', '-o', 'name')
  assert.equal(written, 'configmap/last\n')
  const all = inhabitants(paths)
  for (const identity of all) signalProcess(identity, 'SIGKILL')
  await Promise.all(all.map(whenExited))
  const { stdout: disk } = spawnSync(
    'sh',
    ['-c', `tar --create --gzip --xattrs-include='*' --directory /var/lib/fairway ${live.name} | base64`],
    { encoding: 'utf8', maxBuffer: 1 << 30 },
  )
  const script = [
    "base64 --decode | tar --extract --gzip --xattrs-include='*' --directory /var/lib/fairway",
    'test ! -e /proc/sys/net/ipv6',
    `./fairway start --name ${live.name} --load-modules --wait 300s >&2`,
    `export KUBECONFIG=${paths.kubeconfig}`,
    `kubectl ${pods}`,
    'kubectl get configmap last -o \'jsonpath={.data.word}{"\\n"}\'',
    'curl -sS -m 10 http://10.168.0.2:30225/',
  ].join('\n')
  const { status, stdout, stderr } = inVm(['sh', '-ec', script], {
    input: disk,
    memoryMb: 3072,
    timeout: '14m',
    flags: ['--cpus', '2', '--kernel-arguments', 'ipv6.disable=1'],
  })
  assert.equal(status, 0, stderr)
  assert.ok(stdout.startsWith(`${known}kept\nhostnames-`), stdout)
})

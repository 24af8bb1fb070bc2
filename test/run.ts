// Runs the tests: `npm test [-- PATTERN...]`. Pure tests first, side by side; then those that need the kernel
// (x.netns.test.ts and test/cluster/), two files at a time, each inside a network namespace that has no way out and a
// mount namespace with its own /run, /sys and /var/lib/fairway, so that nothing of theirs can reach or outlive this
// machine's own.
// `--modes` runs what CI adds to that: the other modes (x.modes.test.ts) and the virtual machine (x.vm.test.ts);
// `--soak` runs everything, x.soak.test.ts too, with generated cases and kills by the thousand.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { outer } from '#test/outer.ts'

/** Debian packages that tests use beyond what the product installs by itself. */
const packages: Record<string, string> = {
  iptables: 'iptables',
  nft: 'nftables',
  ip: 'iproute2',
  dig: 'dnsutils',
  conntrack: 'conntrack',
  ipset: 'ipset',
  ipvsadm: 'ipvsadm',
  cpio: 'cpio',
  conmon: 'conmon',
  crun: 'crun',
  curl: 'curl',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  losetup: 'mount',
  busybox: 'busybox-static',
  zsh: 'zsh',
  fish: 'fish',
  'musl-gcc': 'musl-tools',
  python3: 'python3',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  kubectl: 'kubernetes-client',
  ethtool: 'ethtool',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  iperf3: 'iperf3',
  containerd: 'containerd',
  haproxy: 'haproxy',
  '/usr/lib/python3/dist-packages/kubernetes': 'python3-kubernetes',
}

/** Only for `--modes`. */
const morePackages: Record<string, string> = { 'rpc.nfsd': 'nfs-kernel-server' }

const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const soak = process.argv.includes('--soak')
const modes = process.argv.includes('--modes')
const isRoot = process.getuid?.() === 0

installMissing()
const isExtra = (file: string) => /\.(modes|vm)\.test\.ts$/.test(file)
const wanted = (file: string) => {
  if (patterns.length > 0) return patterns.some((pattern) => file.includes(pattern))
  return soak || (!file.includes('.soak.') && isExtra(file) === modes)
}
const all = globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter(wanted).sort()
const needsKernel = (file: string) => /\.(netns|modes|vm)\.test\.ts$/.test(file) || file.startsWith('test/cluster/')
// Machines are started without a way out: what they need must be there before.
if (isRoot && all.some((file) => file.endsWith('.vm.test.ts')))
  spawnSync('sh', ['fairway', 'vm', '--prepare'], { stdio: 'inherit' })
const pure = all.filter((file) => !needsKernel(file))
const kernel = all.filter(needsKernel)

const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
const failed: string[] = []
if (pure.length > 0 && !(await run([], pure, { concurrency: 2, show: true }))) failed.push('the pure tests')
// Each file has an outer namespace of its own; those of whole clusters, which take longest, come first.
const queue = kernel.sort((a, b) => Number(b.startsWith('test/')) - Number(a.startsWith('test/')))
const lane = async () => {
  for (let file = queue.shift(); file !== undefined; file = queue.shift())
    if (!(await run(isRoot ? outer() : [], [file], { concurrency: 1, show: false }))) failed.push(file)
}
await Promise.all([lane(), lane()])

console.log(failed.length === 0 ? `\nall of ${all.length} test files passed` : `\nfailed: ${failed.join(' ')}`)
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = failed.length === 0 ? 0 : 1

type Counts = { passed: number; failed: number; skipped: number }
type RunOptions = {
  readonly concurrency: number
  /** print while it runs, not only at its end */ readonly show: boolean
}

/** Whether all tests of the files passed. */
async function run(before: readonly string[], files: readonly string[], options: RunOptions): Promise<boolean> {
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${options.concurrency}`,
  ]
  // A virtual machine emulates its processor, and runs whole test files.
  const limitMs = files.some(isExtra) ? 900_000 : 120_000
  const words = [...before, ...node, `--test-timeout=${limitMs}`, '--test-reporter=spec', ...files]
  const child = spawn(words[0]!, words.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FAIRWAY_SOAK: soak ? '1' : '' },
  })
  const parts: string[] = []
  const hear = (part: string) => {
    parts.push(part)
    if (options.show) process.stdout.write(part)
  }
  child.stdout.setEncoding('utf8').on('data', hear)
  child.stderr.setEncoding('utf8').on('data', hear)
  const closed = once(child, 'close')
  const [status] = (await once(child, 'exit')) as [number | null]
  // What a test left running may hold the pipe open: the end of the runner is what counts.
  await Promise.race([closed, setTimeout(2_000, undefined, { ref: false })])
  child.stdout.destroy()
  child.stderr.destroy()
  const output = parts.join('')
  if (!options.show) console.log(`\n== ${files.join(' ')}\n${output}`)
  const count = (name: string) => Number(new RegExp(`^ℹ ${name} (\\d+)`, 'm').exec(output)?.[1] ?? 0)
  counts.passed += count('pass')
  counts.failed += count('fail') + count('cancelled')
  counts.skipped += count('skipped')
  return status === 0
}

function installMissing(): void {
  const all = { ...packages, ...((modes || soak) && morePackages) }
  const missing = Object.keys(all).filter(
    (name) => !(name.startsWith('/') ? existsSync(name) : spawnSync('sh', ['-c', `command -v ${name}`]).status === 0),
  )
  if (missing.length === 0) return
  const names = [...new Set(missing.map((program) => all[program]!))]
  const command = `apt-get install -y ${names.join(' ')}`
  if (!isRoot || spawnSync('sh', ['-c', 'command -v apt-get']).status !== 0) {
    console.log(`tests that need ${missing.join(', ')} will be skipped; to run them: ${command}`)
    return
  }
  console.log(`installing for the tests: ${names.join(' ')}`)
  // In single-user mode no service is started by its installation.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  spawnSync('sh', ['-c', `apt-get update -qq && ${command} -qq`], { stdio: ['ignore', 'ignore', 'inherit'], env })
}

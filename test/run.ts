// Runs the tests: `npm test [-- PATTERN...]`. Pure tests first, side by side; then those that need the kernel
// (x.netns.test.ts and test/cluster/), one after the other, inside a network namespace that has no way out and a
// mount namespace with its own /run and /sys, so that nothing of theirs can reach or outlive this machine's own.
// `--modes` runs what CI adds to that: the other modes (x.modes.test.ts) and the virtual machine (x.vm.test.ts);
// `--soak` runs everything, x.soak.test.ts too, with generated cases and kills by the thousand.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

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
  python3: 'python3',
}

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

const failed = [
  ...(pure.length > 0 ? run([], pure, 2) : []),
  ...(kernel.length > 0 ? run(isRoot ? outer() : [], kernel, 1) : []),
]
console.log(failed.length === 0 ? `\nall of ${all.length} test files passed` : `\n${failed.length} of the runs failed`)
process.exitCode = failed.length === 0 ? 0 : 1

function run(before: readonly string[], files: readonly string[], concurrency: number): string[] {
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${concurrency}`,
  ]
  // A virtual machine emulates its processor, and runs whole test files.
  const limitMs = files.some(isExtra) ? 900_000 : 120_000
  const words = [...before, ...node, `--test-timeout=${limitMs}`, '--test-force-exit', '--test-reporter=spec', ...files]
  const { status } = spawnSync(words[0]!, words.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, FAIRWAY_SOAK: soak ? '1' : '' },
  })
  return status === 0 ? [] : [files.join(' ')]
}

function outer(): string[] {
  const own = 'mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /sys/fs/cgroup && mount -t tmpfs tmpfs /run'
  const inside = `${own} && mkdir -p /run/netns /run/lock && exec "$@"`
  return [
    'unshare',
    '--net',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    `ip link set lo up 2>/dev/null; ${inside}`,
    'sh',
  ]
}

function installMissing(): void {
  const missing = Object.keys(packages).filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  )
  if (missing.length === 0) return
  const names = [...new Set(missing.map((program) => packages[program]!))]
  const command = `apt-get install -y ${names.join(' ')}`
  if (!isRoot || spawnSync('sh', ['-c', 'command -v apt-get']).status !== 0) {
    console.log(`tests that need ${missing.join(', ')} will be skipped; to run them: ${command}`)
    return
  }
  console.log(`installing for the tests: ${names.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('sh', ['-c', `apt-get update -qq && ${command} -qq`], { stdio: ['ignore', 'ignore', 'inherit'], env })
}

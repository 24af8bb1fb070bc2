// What a virtual machine is started with: QEMU's words, the first root, and the scripts that run in it. Pure.
//
// The guest sees this machine's root as it is, below an overlay in its own memory: it can read everything, and nothing
// that it writes arrives. It has no network card. Input, output, errors and the exit code go through one port each.
import { utf8 } from '#lib/bytes.ts'
import type { ArchiveFile } from '#lab/vm/archive.ts'
import { orderModules } from '#lab/vm/modules.ts'

export type VmOptions = {
  readonly command: readonly string[]
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly memoryMb: number
  readonly cpus: number
  /** more words for the kernel's command line */
  readonly kernelArguments?: string
}

/** A kernel as its Debian package was unpacked. */
export type Kernel = {
  /** of the image, as QEMU loads it */
  readonly image: string
  /** `lib/modules` of the package */
  readonly modules: string
  readonly release: string
}

/** Modules without which the guest does not find its root. */
export const bootModules = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay'] as const

export const ports = ['input', 'output', 'errors', 'result'] as const
export type Port = (typeof ports)[number]

/** `files` names the first root's archive, the console's log, and a socket for each port. */
export function planQemu(
  { image }: Kernel,
  { memoryMb, cpus, kernelArguments = '' }: Pick<VmOptions, 'memoryMb' | 'cpus' | 'kernelArguments'>,
  files: { readonly archive: string; readonly console: string; readonly socket: (port: Port) => string },
): string[] {
  return [
    // Emulation only: hardware support hangs where virtual machines cannot be nested.
    ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', String(cpus), '-m', String(memoryMb)],
    ['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none', '-nic', 'none'],
    ['-serial', `file:${files.console}`, '-kernel', image, '-initrd', files.archive],
    // On a busy machine the emulated timer ticks too late for the kernel's check of it, which would end in a panic.
    ['-append', `console=ttyS0 quiet panic=-1 mitigations=off no_timer_check ${kernelArguments}`.trimEnd()],
    ['-virtfs', 'local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap'],
    ['-device', 'virtio-serial'],
    ...ports.flatMap((port) => [
      ['-chardev', `socket,id=${port},path=${files.socket(port)}`],
      ['-device', `virtserialport,chardev=${port},name=${port}`],
    ]),
  ].flat()
}

/** Everything in the first root. `read` answers files of this machine. */
export function planArchive(
  kernel: Kernel,
  options: VmOptions,
  read: (path: string) => Uint8Array,
): readonly ArchiveFile[] {
  const folder = `${kernel.modules}/${kernel.release}`
  const modules = orderModules(new TextDecoder().decode(read(`${folder}/modules.dep`)), bootModules)
  const loaded = modules.map((path, i) => ({
    path: `modules/${String(i).padStart(2, '0')}.ko`,
    bytes: read(`${folder}/${path}`),
  }))
  return [
    ...['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'upper', 'root'].map((path) => ({ path })),
    { path: 'bin/busybox', bytes: read('/bin/busybox'), isProgram: true },
    { path: 'init', bytes: utf8(renderInit(kernel)), isProgram: true },
    { path: 'start', bytes: utf8(renderStart(options.folder)), isProgram: true },
    { path: 'command', bytes: utf8(renderCommand(options)), isProgram: true },
    ...loaded,
  ]
}

/** From the kernel's first root to this machine's root. */
const renderInit = ({ modules }: Kernel) => `#!/bin/busybox sh
set -e
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod "$module"; done
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose root /host
mount -t tmpfs -o size=75% upper /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/files,workdir=/upper/work overlay /root
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t cgroup2 cgroup /root/sys/fs/cgroup
mount --move /dev /root/dev
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s /proc/self/\${link#*:} /root/dev/\${link%%:*}; done
mkdir -p /root/dev/pts /root/dev/shm /root/lib/modules /root/var/lib/fairway
mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
for folder in dev/shm run var/lib/fairway; do mount -t tmpfs -o mode=755 tmpfs /root/$folder; done
chmod 1777 /root/dev/shm
mount --bind /root${modules} /root/lib/modules
mkdir -p /root/run/vm /root/run/lock /root/run/netns
cp /start /command /root/run/vm/
exec switch_root /root /run/vm/start
`

/** The guest's first process: runs the command, tells its exit code, turns the machine off. */
const renderStart = (folder: string) => `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for port in /sys/class/virtio-ports/*; do
  ln -s "/dev/\${port##*/}" "/run/vm/$(cat "$port/name")"
done
ip link set lo up
echo fairway-vm >/proc/sys/kernel/hostname
cd ${quote(folder)}
setsid /run/vm/command </run/vm/input >/run/vm/output 2>/run/vm/errors
echo $? >/run/vm/result
echo o >/proc/sysrq-trigger
while :; do sleep 60; done
`

const renderCommand = ({ command, env }: Pick<VmOptions, 'command' | 'env'>) => `#!/bin/sh
exec env -i ${Object.entries(env)
  .filter(([, value]) => value !== undefined)
  .map(([name, value]) => quote(`${name}=${value}`))
  .join(' ')} ${command.map(quote).join(' ')}
`

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

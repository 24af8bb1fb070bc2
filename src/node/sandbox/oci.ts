// A container as the OCI runtime specification describes it: the config.json that crun runs.

import { commandOf, inside, podCache, type ImageConfig } from '#node/images/resolve.ts'
import type { ContainerConfig, Mount, SandboxConfig } from '#node/runtime.ts'
import { planCapabilities } from '#node/sandbox/capabilities.ts'

export type OciInput = {
  readonly config: ContainerConfig
  readonly image: ImageConfig
  readonly sandbox: SandboxConfig
  /** none on the host's network */
  readonly netns: string | undefined
  readonly rootfs: string
  /** where resolv.conf, hostname and shm of the pod lie */
  readonly sandboxFiles: string
  /** of the agent itself */
  readonly capabilities: ReadonlySet<string>
  /** this program's Node.js and checkout on the machine */
  readonly program: { readonly node: string; readonly checkout: string }
}

type OciMount = {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export function planOciSpec(input: OciInput): object {
  const { config, image, sandbox, netns, rootfs } = input
  const { security } = config
  const capabilities = planCapabilities(
    { privileged: security.privileged, add: security.addCapabilities, drop: security.dropCapabilities },
    input.capabilities,
  )
  const user = security.user ?? image.user
  const sets = { bounding: capabilities, effective: capabilities, permitted: capabilities }
  return {
    ociVersion: '1.0.0',
    process: {
      terminal: config.tty,
      user: { uid: user, ...groupsOf(input) },
      args: commandOf(image, config.command, config.args),
      env: planEnv(input, user),
      cwd: config.workingDir || image.workingDir,
      capabilities: user === 0 ? sets : { bounding: capabilities },
      noNewPrivileges: security.noNewPrivileges,
    },
    root: { path: rootfs, readonly: security.readOnlyRoot },
    ...(!sandbox.hostNetwork && { hostname: sandbox.hostname }),
    mounts: planMounts(input),
    linux: {
      namespaces: [
        { type: 'mount' },
        ...(sandbox.hostPid ? [] : [pidNamespace(config)]),
        ...(sandbox.hostIpc ? [] : [{ type: 'ipc' }]),
        // As with Docker and kubelet: on the host's network a pod has the host's name too.
        ...(sandbox.hostNetwork ? [] : [{ type: 'uts' }, { type: 'network', path: netns }]),
      ],
      rootfsPropagation: planPropagation(config.mounts),
      ...(!security.privileged && {
        maskedPaths: [
          '/proc/acpi',
          '/proc/asound',
          '/proc/kcore',
          '/proc/keys',
          '/proc/latency_stats',
          '/proc/sched_debug',
          '/proc/scsi',
          '/proc/timer_list',
          '/proc/timer_stats',
          '/sys/firmware',
        ],
        readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      }),
    },
  }
}

const pidNamespace = ({ pidOf }: ContainerConfig) =>
  pidOf === undefined ? { type: 'pid' } : { type: 'pid', path: `/proc/${pidOf}/ns/pid` }

/** Another user than the image's is in none of the image's groups. */
function groupsOf({ config: { security }, image }: OciInput): object {
  const { group, groups } = security.user === undefined ? image : { group: 0, groups: [] }
  return { gid: security.group ?? group, additionalGids: [...groups, ...security.supplementalGroups] }
}

function planEnv({ config, image, sandbox }: OciInput, user: number): readonly string[] {
  const env = new Map<string, string>([
    ['PATH', defaultPath],
    ['HOSTNAME', sandbox.hostname],
    ['HOME', user === image.user && image.home !== undefined ? image.home : user === 0 ? '/root' : '/'],
    ...(config.tty ? [['TERM', 'xterm'] as const] : []),
    ...Object.entries(image.env),
    ...config.env.map(({ name, value }) => [name, value] as const),
  ])
  return [...env].map(([name, value]) => `${name}=${value}`)
}

const special = (destination: string, type: string, ...options: readonly string[]): OciMount => ({
  destination,
  type,
  source: type,
  options,
})
const bind = (destination: string, source: string, ...options: readonly string[]): OciMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate', ...options],
})

function planMounts({ config, image, program, sandboxFiles }: OciInput): readonly OciMount[] {
  const { privileged, readOnlyRoot } = config.security
  const own = readOnlyRoot ? ['ro'] : ['rw']
  return [
    special('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
    special('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    special('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
    special('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
    special('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', privileged ? 'rw' : 'ro'),
    bind('/dev/shm', `${sandboxFiles}/shm`, 'rw'),
    bind('/etc/resolv.conf', `${sandboxFiles}/resolv.conf`, ...own),
    bind('/etc/hostname', `${sandboxFiles}/hostname`, ...own),
    ...(image.layers === undefined ? [bind(inside.node, program.node, 'ro')] : []),
    ...(image.needsCheckout
      ? [
          bind(inside.checkout, program.checkout, 'ro'),
          bind(`${inside.checkout}/${podCache}`, `${program.checkout}/${podCache}`, 'rw'),
        ]
      : []),
    ...config.mounts.map(planMount),
  ]
}

const propagations = { private: 'rprivate', hostToContainer: 'rslave', bidirectional: 'rshared' } as const

const planMount = ({ containerPath, hostPath, readOnly, propagation }: Mount): OciMount => ({
  destination: containerPath,
  type: 'bind',
  source: hostPath,
  options: ['rbind', propagations[propagation], readOnly ? 'ro' : 'rw'],
})

/** The root of the container must let through what a mount below it shall receive or send. */
function planPropagation(mounts: readonly Mount[]): string {
  if (mounts.some(({ propagation }) => propagation === 'bidirectional')) return 'rshared'
  return mounts.some(({ propagation }) => propagation === 'hostToContainer') ? 'rslave' : 'rprivate'
}

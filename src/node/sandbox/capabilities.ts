// Linux capabilities by name, in the order of their numbers (linux/capability.h), and those that containers have by
// default (the set that Docker, containerd and CRI-O agree on).

const names = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
]

const defaults = new Set([
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
])

/** The names in a mask as /proc/PID/status shows it (`CapEff`). */
export function capabilitiesOf(hexMask: string): ReadonlySet<string> {
  const mask = BigInt(`0x${hexMask}`)
  return new Set(names.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n))
}

/** What a container may do, as `CAP_...` names; never more than `available`. */
export function planCapabilities(
  o: { readonly privileged: boolean; readonly add: readonly string[]; readonly drop: readonly string[] },
  available: ReadonlySet<string>,
): readonly string[] {
  const bare = (name: string) => name.toUpperCase().replace(/^CAP_/, '')
  const add = new Set(o.add.map(bare))
  const drop = new Set(o.drop.map(bare))
  const isGranted = (name: string) => {
    if (o.privileged || add.has(name)) return true
    if (drop.has(name) || drop.has('ALL')) return false
    return add.has('ALL') || defaults.has(name)
  }
  return names.filter((name) => available.has(name) && isGranted(name)).map((name) => `CAP_${name}`)
}

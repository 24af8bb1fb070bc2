/** The words before a command that put it into namespaces of its own: no way out of the network, own /run, /sys and state. */
export function outer(): string[] {
  const own = 'mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /sys/fs/cgroup && mount -t tmpfs tmpfs /run'
  const state = 'mkdir -p /run/netns /run/lock /var/lib/fairway && mount -t tmpfs tmpfs /var/lib/fairway'
  const inside = `${own} && ${state} && exec "$@"`
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

// Where the runtime keeps what. What must outlive a reboot (records, exit codes, writable layers, leases) is in the state
// folder on disk; what means nothing after it (bundles, mount points, pins) is in the run folder on a tmpfs.

export type Layout = ReturnType<typeof layoutOf>

/** Paths below the two folders; both absolute. */
export const layoutOf = (state: string, run: string) => ({
  sandboxes: `${state}/sandboxes`,
  sandboxRecord: (id: string) => `${state}/sandboxes/${id}.json`,
  containers: `${state}/containers`,
  container: (id: string) => `${state}/containers/${id}`,
  containerRecord: (id: string) => `${state}/containers/${id}/container.json`,
  upper: (id: string) => `${state}/containers/${id}/upper`,
  work: (id: string) => `${state}/containers/${id}/work`,
  /** conmon writes a container's exit code into a file of its name */
  exits: `${state}/exits`,
  exit: (id: string) => `${state}/exits/${id}`,
  leases: `${state}/leases`,
  base: `${run}/base`,
  crunRoot: `${run}/crun`,
  bundles: `${run}/containers`,
  bundle: (id: string) => `${run}/containers/${id}`,
  rootfs: (id: string) => `${run}/containers/${id}/rootfs`,
  pidFile: (id: string) => `${run}/containers/${id}/pid`,
  /** conmon takes orders here */
  control: (id: string) => `${run}/containers/${id}/ctl`,
  conmonPidFile: (id: string) => `${run}/containers/${id}/conmon.pid`,
  /** resolv.conf, hostname and the shared memory of a pod */
  sandboxFiles: (id: string) => `${run}/sandboxes/${id}`,
  sandboxFilesRoot: `${run}/sandboxes`,
  sockets: `${run}/sockets`,
  socketFolder: (id: string) => `${run}/sockets/${id}`,
  attachSocket: (id: string) => `${run}/sockets/${id}/attach`,
})

/** Pins are where `ip netns` looks for them. */
export const netnsFolder = '/run/netns'
const pinPrefix = 'cni-'
export const netnsPath = (sandboxId: string): string => `${netnsFolder}/${pinPrefix}${sandboxId.slice(0, 12)}`
export const isSandboxPin = (name: string): boolean => name.startsWith(pinPrefix)

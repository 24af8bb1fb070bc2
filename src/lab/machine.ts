// Whether this machine can carry a cluster, from what was seen of it. Pure, so that every "no" can be tried.
import { formatCidr, overlaps, parseCidr } from '#lib/cidr.ts'
import { UserError } from '#daemon/error.ts'
import type { ClusterOptions, ProxyMode } from '#lab/options.ts'

export type Machine = {
  readonly platform: string
  readonly isRoot: boolean
  /** Programs that were looked for and not found. */
  readonly missing: readonly string[]
  readonly canInstall: boolean
  /** Networks that the machine has routes to, with the interface, but for the default route. */
  readonly routes: readonly { readonly destination: string; readonly link: string }[]
  /** Kernel features that were looked for and not found. */
  readonly missingFeatures: readonly Feature[]
}

/** A feature of the kernel, and the module that brings it where it is not built in. */
export type Feature = {
  readonly module: string
  readonly purpose: string
  /** only clusters of this mode need it */
  readonly proxyMode?: ProxyMode
}

export const features: readonly (Feature & {
  /** What can be seen where it is there: a file, or a type of file system. */
  readonly sign: string
  /** The kernel loads the module by itself when it is needed. */
  readonly loadsItself: boolean
})[] = [
  {
    module: 'overlay',
    purpose: 'containers have their own writable root',
    sign: 'overlay',
    loadsItself: true,
  },
  {
    module: 'br_netfilter',
    purpose: 'pods on one bridge reach each other through Services',
    sign: '/proc/sys/net/bridge',
    loadsItself: false,
  },
  {
    module: 'ip_vs',
    purpose: 'Services in IPVS mode',
    sign: '/proc/sys/net/ipv4/vs',
    loadsItself: true,
    proxyMode: 'ipvs',
  },
]

/** Programs that a cluster needs, with the Debian package of each. */
export const programPackages: Readonly<Record<string, string>> = {
  conmon: 'conmon',
  crun: 'crun',
  nsenter: 'util-linux',
  'iptables-restore': 'iptables',
  haproxy: 'haproxy',
}

/** Those that this cluster needs. */
export function programsOf({ ingress, proxyMode }: Pick<ClusterOptions, 'ingress' | 'proxyMode'>): readonly string[] {
  const isNeeded: Readonly<Record<string, boolean>> = { haproxy: ingress, 'iptables-restore': proxyMode !== 'nftables' }
  return Object.keys(programPackages).filter((program) => isNeeded[program] ?? true)
}

/** For using the cluster; `up` goes on without it. */
export const kubectlPackage = 'kubernetes-client'

export function checkPlatform({ platform, isRoot }: Pick<Machine, 'platform' | 'isRoot'>): void {
  if (platform !== 'linux')
    throw new UserError(`a cluster needs Linux: its nodes are Linux network namespaces (this is ${platform})`, {
      code: 'NoLinux',
      remedy: 'run it in a Linux virtual machine or container (with --privileged)',
    })
  if (!isRoot)
    throw new UserError('a cluster needs root: it makes network namespaces and mounts', {
      code: 'NotRoot',
      remedy: 'run the command with sudo',
    })
}

/** The packages to install; throws where that is refused. */
export function checkPackages(
  machine: Pick<Machine, 'missing' | 'canInstall'>,
  mayInstall: boolean,
): readonly string[] {
  const { missing, canInstall } = machine
  if (missing.length === 0) return []
  const packages = [...new Set(missing.map((program) => programPackages[program] ?? program))]
  const command = `apt-get install -y ${packages.join(' ')}`
  if (mayInstall && canInstall) return packages
  throw new UserError(`${missing.length === 1 ? 'a program is' : 'programs are'} missing: ${missing.join(', ')}`, {
    code: 'MissingProgram',
    remedy: canInstall ? `run: ${command}` : `install the packages ${packages.join(', ')} (on Debian: ${command})`,
  })
}

/** The modules to load; throws where that was not allowed. */
export function checkFeatures(
  { missingFeatures }: Pick<Machine, 'missingFeatures'>,
  wanted: ProxyMode,
  mayLoad: boolean,
): readonly string[] {
  const missing = missingFeatures.filter(({ proxyMode = wanted }) => proxyMode === wanted)
  const modules = missing.map(({ module }) => module)
  if (missing.length === 0 || mayLoad) return modules
  const why = missing.map(({ module, purpose }) => `${module} (${purpose})`).join(', ')
  throw new UserError(`the kernel lacks ${why}`, {
    code: 'MissingKernelFeature',
    remedy: `give --load-modules, or run: modprobe ${modules.join(' ')}`,
  })
}

/** `own` names the interface that an earlier `up` of the same cluster made. */
export function checkRoutes(machine: Pick<Machine, 'routes'>, options: ClusterOptions, own: string): void {
  const lan = parseCidr(options.lanCidr)!
  const found = collisions(machine, lan, own)[0]
  if (found === undefined) return
  const free = freeLan(machine, own)
  throw new UserError(
    `the nodes' network ${options.lanCidr} collides with this machine's route to ${found.destination} (${found.link})`,
    {
      code: 'SubnetCollision',
      remedy:
        free === undefined ? 'give a free /24 with --lan-cidr' : `give a free one, for example: --lan-cidr ${free}`,
    },
  )
}

const collisions = ({ routes }: Pick<Machine, 'routes'>, lan: NonNullable<ReturnType<typeof parseCidr>>, own: string) =>
  routes.filter(({ destination, link }) => {
    const network = parseCidr(destination)
    return link !== own && network !== undefined && overlaps(network, lan)
  })

const freeLan = (machine: Pick<Machine, 'routes'>, own: string): string | undefined =>
  ['10.168', '172.30', '192.168']
    .flatMap((prefix) => Array.from({ length: 255 }, (_, i) => parseCidr(`${prefix}.${i}.0/24`)!))
    .filter((cidr) => collisions(machine, cidr, own).length === 0)
    .map(formatCidr)[0]

/** The first of 10.168.0.0/24, 10.168.1.0/24 ... that no other cluster of this machine has. */
export const nextLan = (taken: readonly string[]): string =>
  Array.from({ length: 256 }, (_, i) => `10.168.${i}.0/24`).find((lan) => !taken.includes(lan)) ?? '10.168.0.0/24'

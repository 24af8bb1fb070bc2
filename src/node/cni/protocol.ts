// The CNI specification, versions 1.0 and 1.1 (and 0.3.1 and 0.4.0, whose results say a little more): what a runtime asks of a
// plugin by environment and standard input, and what it is answered.

import { isValidIp } from '#lib/ip.ts'
import type { Attachment, Owner } from '#node/cni/attachment.ts'
import type { HostPort } from '#node/cni/host-ports.ts'
import { type HairpinMode, type Network, planNetwork } from '#node/cni/network.ts'
import { parseSubnetFile } from '#node/cni/subnet-file.ts'

export const supportedVersions = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
const newest = '1.1.0'

/** Codes of the specification's well-known errors; from 100 on they are ours. */
export const codes = {
  incompatibleVersion: 1,
  unknownContainer: 3,
  badEnvironment: 4,
  io: 5,
  notJson: 6,
  badConfig: 7,
  tryLater: 11,
  notAvailable: 50,
  noAddress: 100,
  hostPortTaken: 101,
  interfaceExists: 102,
  notAsItShouldBe: 103,
} as const

export class CniError extends Error {
  readonly code: number
  readonly details: string
  constructor(code: keyof typeof codes, message: string, details = '') {
    super(message)
    this.code = codes[code]
    this.details = details
  }
}

export type CniRequest =
  | { readonly command: 'VERSION'; readonly version: string }
  | { readonly command: 'STATUS'; readonly version: string; readonly network: Network; readonly dataDir: string }
  | (Common & { readonly command: 'GC'; readonly valid: readonly Owner[] })
  | (Common & { readonly command: 'DEL'; readonly owner: Owner })
  | (Common & {
      readonly command: 'ADD'
      readonly owner: Owner
      readonly netns: string
      readonly hostPorts: readonly HostPort[]
    })
  | (Common & { readonly command: 'CHECK'; readonly owner: Owner; readonly netns: string; readonly previous: Previous })

type Common = {
  readonly version: string
  readonly network: Network
  /** one folder per network below it */
  readonly dataDir: string
}
/** Of the result that ADD gave. */
export type Previous = { readonly addresses: readonly string[] }

type Environment = Readonly<Record<string, string | undefined>>
type Json = Readonly<Record<string, unknown>>

/** Throws CniError. `readFile` answers undefined for a file that is not there. */
export function parseRequest(
  environment: Environment,
  input: string,
  readFile: (path: string) => string | undefined,
): CniRequest {
  const command = environment['CNI_COMMAND']
  const config = parseConfig(input)
  const version = typeof config['cniVersion'] === 'string' ? config['cniVersion'] : '0.1.0'
  if (command === 'VERSION') return { command, version: isSupported(version) ? version : newest }
  if (!isSupported(version))
    throw new CniError(
      'incompatibleVersion',
      `CNI version ${version} is not supported`,
      `${supportedVersions.join(', ')} are`,
    )
  if (command !== 'ADD' && command !== 'DEL' && command !== 'CHECK' && command !== 'STATUS' && command !== 'GC')
    throw new CniError(
      'badEnvironment',
      `CNI_COMMAND is ${command === undefined ? 'missing' : `"${command}", which is no command`}`,
    )
  if (needsNewer(command, version))
    throw new CniError('incompatibleVersion', `${command} is not in CNI version ${version}`)
  const common = { version, network: networkOf(config, readFile, command), dataDir: dataDirOf(config) }
  if (command === 'STATUS') return { command, ...common }
  if (command === 'GC') return { command, ...common, valid: validAttachments(config) }
  const owner = ownerOf(environment)
  if (command === 'DEL') return { command, ...common, owner }
  const netns = environment['CNI_NETNS'] ?? ''
  if (netns === '') throw new CniError('badEnvironment', 'CNI_NETNS is missing')
  if (command === 'ADD') return { command, ...common, owner, netns, hostPorts: hostPortsOf(config) }
  return { command, ...common, owner, netns, previous: previousOf(config) }
}

const isSupported = (version: string) => (supportedVersions as readonly string[]).includes(version)
const needsNewer = (command: string, version: string) =>
  (['STATUS', 'GC'].includes(command) && version !== newest) || (command === 'CHECK' && version === '0.3.1')

function parseConfig(input: string): Json {
  try {
    const value = JSON.parse(input) as unknown
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  } catch (error) {
    throw new CniError('notJson', `the configuration is not JSON: ${(error as Error).message}`)
  }
  throw new CniError('notJson', 'the configuration is no object')
}

function ownerOf(environment: Environment): Owner {
  const { CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifname = '' } = environment
  // These become parts of file names.
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId))
    throw new CniError('badEnvironment', `CNI_CONTAINERID "${containerId}" is no container id`)
  if (!/^[^\s/:]{1,15}$/.test(ifname) || ifname === '.' || ifname === '..')
    throw new CniError('badEnvironment', `CNI_IFNAME "${ifname}" is no name of an interface`)
  return { containerId, ifname }
}

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(object) : [])
const text = (value: unknown, otherwise = ''): string => (typeof value === 'string' ? value : otherwise)

/** The ranges stand in the configuration as host-local has them, or in flannel's subnet.env. */
function networkOf(config: Json, readFile: (path: string) => string | undefined, command: string): Network {
  const name = text(config['name'])
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) throw new CniError('badConfig', `"${name}" is no name of a network`)
  if (config['hairpinMode'] === true && config['promiscMode'] === true)
    throw new CniError('badConfig', 'cannot set hairpinMode and promiscMode at the same time')
  if (config['ipMasq'] === true)
    throw new CniError(
      'badConfig',
      'ipMasq: masquerading is flannel’s here',
      'leave it out, and run flannel with --ip-masq',
    )
  const hairpin: HairpinMode =
    config['promiscMode'] === true ? 'promiscuous-bridge' : config['hairpinMode'] === true ? 'hairpin-veth' : 'none'
  const { cidrs, mtu } = rangesOf(config, readFile, command)
  const network = planNetwork(cidrs, { hairpin, mtu })
  if (network === undefined)
    throw new CniError(
      'badConfig',
      `no range with room for pods: ${cidrs.join(', ') || 'none'}`,
      'ipam.ranges or subnetFile',
    )
  return { ...network, name, bridge: text(config['bridge'], network.bridge) }
}

function rangesOf(config: Json, readFile: (path: string) => string | undefined, command: string) {
  const mtu = typeof config['mtu'] === 'number' && config['mtu'] > 0 ? config['mtu'] : 1500
  const path = text(config['subnetFile'])
  if (path === '') {
    const { ranges, subnet } = object(config['ipam'])
    const sets = Array.isArray(ranges) ? ranges : []
    const cidrs = sets.map((set) => text(list(set)[0]?.['subnet'])).filter((cidr) => cidr !== '')
    return { cidrs: cidrs.length > 0 ? cidrs : [text(subnet)].filter((cidr) => cidr !== ''), mtu }
  }
  const file = parseSubnetFile(readFile(path) ?? '')
  if (file !== undefined) return { cidrs: file.subnets, mtu: config['mtu'] === undefined ? file.mtu : mtu }
  // What was attached while it was there must be taken away without it too; any range will do for that.
  if (command === 'DEL' || command === 'GC') return { cidrs: ['0.0.0.0/0'], mtu }
  const code = command === 'STATUS' ? 'notAvailable' : 'tryLater'
  throw new CniError(code, `flannel has not written ${path} yet`)
}

const dataDirOf = (config: Json): string => text(object(config['ipam'])['dataDir'], '/var/lib/cni/networks')

function hostPortsOf(config: Json): readonly HostPort[] {
  return list(object(config['runtimeConfig'])['portMappings']).map((one): HostPort => {
    const { hostPort, containerPort } = one
    const protocol = text(one['protocol'], 'tcp').toUpperCase()
    const hostIp = text(one['hostIP'])
    const isPort = (value: unknown): value is number =>
      Number.isInteger(value) && Number(value) > 0 && Number(value) < 65536
    if (!isPort(hostPort) || !isPort(containerPort) || !['TCP', 'UDP', 'SCTP'].includes(protocol))
      throw new CniError('badConfig', `portMappings: ${JSON.stringify(one)} maps no port`)
    if (hostIp !== '' && !isValidIp(hostIp)) throw new CniError('badConfig', `portMappings: "${hostIp}" is no address`)
    return { hostPort, containerPort, protocol: protocol as HostPort['protocol'], hostIp }
  })
}

const validAttachments = (config: Json): readonly Owner[] =>
  list(config['cni.dev/valid-attachments']).map(({ containerID, ifname }) => ({
    containerId: text(containerID),
    ifname: text(ifname),
  }))

function previousOf(config: Json): Previous {
  if (config['prevResult'] === undefined) throw new CniError('badConfig', 'CHECK needs a prevResult')
  const ips = list(object(config['prevResult'])['ips'])
  return { addresses: ips.map(({ address }) => text(address).split('/')[0]!).filter((ip) => ip !== '') }
}

/** The result of ADD. `bridgeMac` and `hostMac` are as the kernel has them. */
export function resultOf(
  version: string,
  { addresses, bridge, hostLink, mac, mtu, owner }: Attachment,
  netns: string,
  macs: { readonly bridge: string; readonly host: string },
): object {
  const withMtu = version === newest ? { mtu } : {}
  const family = (ip: string) => (ip.includes(':') ? '6' : '4')
  const isOld = version.startsWith('0.')
  return {
    cniVersion: version,
    interfaces: [
      { name: bridge, mac: macs.bridge, ...withMtu },
      { name: hostLink, mac: macs.host, ...withMtu },
      { name: owner.ifname, mac, ...withMtu, sandbox: netns },
    ],
    ips: addresses.map(({ ip, prefix, gateway }) => ({
      ...(isOld && { version: family(ip) }),
      address: `${ip}/${prefix}`,
      gateway,
      interface: 2,
    })),
    routes: addresses.map(({ gateway }) => ({ dst: family(gateway) === '4' ? '0.0.0.0/0' : '::/0', gw: gateway })),
    dns: {},
  }
}

export const versionsOf = (version: string): object => ({ cniVersion: version, supportedVersions })

export const renderError = (version: string, { code, message, details }: CniError): object => ({
  cniVersion: version,
  code,
  msg: message,
  ...(details !== '' && { details }),
})

// Who sends and who shall get it, as people name them, to addresses.

import type { Pod, Service } from '#api/core.ts'
import { canonicalIp } from '#lib/ip.ts'
import { firstPacket, type Packet } from '#trace/packet.ts'
import { TraceError } from '#trace/trace.ts'
import { machineNamed, podIps, podName, type Standing, standingOf, type World } from '#trace/world.ts'

export type Question = { readonly packet: Packet; readonly from?: Standing }

type Options = {
  /** whole length of the packet in bytes */
  readonly size?: number
}

/** `from`: IP, `pod/[NAMESPACE/]NAME`, `node/NAME`. `to`: one of them or `svc/[NAMESPACE/]NAME`, with `:PORT[/PROTOCOL]`. */
export function readQuestion(world: World, from: string, to: string, { size }: Options = {}): Question {
  const target = readTarget(world, to)
  const sender = readSender(world, from, target.ip.includes(':') ? 6 : 4)
  const packet = firstPacket({
    protocol: target.protocol,
    source: sender.ip,
    destination: target.ip,
    destinationPort: target.port,
    ...(size !== undefined && { size }),
  })
  return sender.standing === undefined ? { packet } : { packet, from: sender.standing }
}

const inFamily = (family: 4 | 6) => (ip: string | undefined) => ip !== undefined && ip.includes(':') === (family === 6)

function readSender(world: World, text: string, family: 4 | 6): { readonly ip: string; readonly standing?: Standing } {
  const own = canonicalIp(text)
  if (own !== undefined) return { ip: own }
  const [kind, ...rest] = text.split('/')
  if (kind === 'pod') {
    const pod = findPod(world, rest, text)
    const ip = podIps(pod).find(inFamily(family))
    if (ip === undefined)
      throw new TraceError(`${text} has no IPv${family} address`, 'trace to an address of its family')
    if (pod.spec?.hostNetwork === true) return readSender(world, `node/${pod.spec.nodeName ?? ''}`, family)
    return { ip, standing: standingOf(world, ip) }
  }
  if (kind === 'node') {
    const machine = machineNamed(world, rest.join('/'))
    if (machine === undefined) throw new TraceError(`nothing is known of ${text}`, machinesOf(world))
    return { ip: '', standing: { kind: 'machine', machine } }
  }
  throw new TraceError(
    `${JSON.stringify(text)} is nobody who sends`,
    'write an address, pod/NAME, pod/NAMESPACE/NAME or node/NAME',
  )
}

const machinesOf = ({ machines }: World) =>
  `there are: ${machines.map(({ name }) => `node/${name}`).join(', ') || 'none'}`

type Target = { readonly ip: string; readonly port: number; readonly protocol: string }

const addressForm = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d+))?(?:\/([a-z]+))?$/
const namedForm = /^(svc|service|pod|node)\/(?:([^/:]+)\/)?([^/:]+?)(?::([\w-]+))?(?:\/(tcp|udp|sctp|icmp))?$/

function readTarget(world: World, text: string): Target {
  const address = addressForm.exec(text)
  if (address !== null) {
    const [, six, four, port, protocol] = address
    const ip = canonicalIp(six ?? four!)
    if (ip !== undefined && (port !== undefined || isIcmp(protocol)) && Number(port ?? 0) <= 65_535)
      return { ip, port: Number(port ?? 0), protocol: protocolOf(protocol, ip) }
  }
  const named = namedForm.exec(text)
  if (named === null)
    throw new TraceError(
      `${JSON.stringify(text)} is no address with a port`,
      'write IP:PORT, [IP]:PORT/udp, svc/NAME:PORT, pod/NAME:PORT or node/NAME:PORT, a namespace before the name',
    )
  const [, kind, namespace = 'default', name = '', port, protocol] = named
  if (kind === 'node') return { ip: nodeIp(world, name, text), port: numberOf(port, text), protocol: protocol ?? 'tcp' }
  if (kind === 'pod') {
    const ip = podIps(findPod(world, [namespace, name], text))[0]
    if (ip === undefined) throw new TraceError(`${text} has no address`, 'it does not run')
    return { ip, port: numberOf(port, text), protocol: protocolOf(protocol, ip) }
  }
  return serviceTarget(findService(world, namespace, name, text), port, protocol, text)
}

const isIcmp = (protocol: string | undefined) => protocol === 'icmp'
const protocolOf = (protocol: string | undefined, ip: string) =>
  isIcmp(protocol) && ip.includes(':') ? 'icmpv6' : (protocol ?? 'tcp')

function numberOf(port: string | undefined, text: string): number {
  if (port === undefined || !/^\d+$/.test(port))
    throw new TraceError(`${text}: which port?`, `write ${text.split(':')[0]}:PORT`)
  return Number(port)
}

function nodeIp(world: World, name: string, text: string): string {
  const node = world.objects.nodes.find(({ metadata }) => metadata?.name === name)
  const known = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
  const machine = machineNamed(world, name)
  const own = machine?.links?.filter(({ loopback }) => !loopback).flatMap(({ addresses }) => addresses ?? [])
  const ip = known ?? own?.find(({ scope }) => scope === 'global')?.ip
  if (ip === undefined) throw new TraceError(`no address of ${text} is known`, machinesOf(world))
  return ip
}

function findPod(world: World, words: readonly string[], text: string): Pod {
  const wanted = words.length === 1 ? `default/${words[0]}` : words.join('/')
  const pod = world.objects.pods.find((item) => podName(item) === wanted)
  if (pod !== undefined) return pod
  throw unknownObject(text, 'pod', world.objects.pods.map(podName), words.at(-1)!)
}

/** `wanted` may be there in another namespace; where nothing is known at all, the input is missing. */
function unknownObject(text: string, kind: 'pod' | 'svc', known: readonly string[], wanted: string): TraceError {
  const what = kind === 'pod' ? 'pods' : 'Services'
  if (known.length === 0)
    return new TraceError(
      `nothing is known of ${text}`,
      `give the ${what} too: kubectl get ${what.toLowerCase()} -A -o json, or a snapshot`,
    )
  const others = known.filter((name) => name.endsWith(`/${wanted}`))
  return new TraceError(
    `there is no ${text}`,
    others.length > 0
      ? `write its namespace: ${others.map((name) => `${kind}/${name}`).join(', ')}`
      : `there are ${known.length} ${what}, none of that name`,
  )
}

function findService(world: World, namespace: string, name: string, text: string): Service {
  const fullName = ({ metadata }: Service) => `${metadata?.namespace ?? 'default'}/${metadata?.name ?? ''}`
  const service = world.objects.services.find((item) => fullName(item) === `${namespace}/${name}`)
  if (service !== undefined) return service
  throw unknownObject(text, 'svc', world.objects.services.map(fullName), name)
}

function serviceTarget(
  { spec }: Service,
  wanted: string | undefined,
  protocol: string | undefined,
  text: string,
): Target {
  const ip = spec?.clusterIP
  if (ip === undefined || ip === '' || ip === 'None')
    throw new TraceError(`${text} has no cluster IP: its name leads to its pods`, 'trace to a pod: --to pod/NAME:PORT')
  const ports = (spec?.ports ?? []).filter(
    (port) => protocol === undefined || (port.protocol ?? 'TCP').toLowerCase() === protocol,
  )
  const found =
    wanted === undefined
      ? ports.length === 1
        ? ports[0]
        : undefined
      : ports.find((port) => String(port.port) === wanted || port.name === wanted)
  if (found === undefined) {
    // A port that it does not have may be just what is asked about.
    if (wanted !== undefined && /^\d+$/.test(wanted)) return { ip, port: Number(wanted), protocol: protocol ?? 'tcp' }
    const list = (spec?.ports ?? []).map((port) => `${port.port}/${(port.protocol ?? 'TCP').toLowerCase()}`)
    throw new TraceError(`${text}: which port?`, `it has ${list.join(', ')}`)
  }
  return { ip, port: found.port!, protocol: (found.protocol ?? 'TCP').toLowerCase() }
}

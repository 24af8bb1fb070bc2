// The decision: what one question about the cluster's names is answered. Kubernetes' DNS specification 1.1.0, and
// CoreDNS's kubernetes plugin wherever the specification is silent.

import type { EndpointView, ServiceView } from '#dns/state.ts'
import { parseClusterName, parseReverseName, type ClusterName } from '#dns/question.ts'
import { isWithin } from '#dns/wire/name.ts'
import { classIn, recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import type { Zone } from '#dns/zone.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

export type ZoneOptions = {
  /** the cluster's domain, normal */
  readonly domain: string
  /** reverse zones that are answered from endpoints and Services: `in-addr.arpa`, `ip6.arpa` or below, normal */
  readonly reverseZones: readonly string[]
  /** seconds */
  readonly ttl: number
  readonly pods: 'disabled' | 'insecure' | 'verified'
  /** the only namespaces that have names; empty: all */
  readonly namespaces: readonly string[]
  /** name endpoints without a hostname after their pod */
  readonly endpointPodNames: boolean
  /** a Service with a cluster IP but no ready endpoint has no name */
  readonly ignoreEmptyServices: boolean
  /** zones whose missing names are left to whoever comes next */
  readonly fallthrough: readonly string[]
  /** addresses of this server, for `ns.dns` when it is no endpoint of a Service */
  readonly localIps: readonly string[]
}

export type Answer =
  /** `alias`: the last answer is a CNAME to a name outside; whoever asks resolves it */
  | {
      readonly kind: 'records'
      readonly answers: readonly ResourceRecord[]
      readonly additionals: readonly ResourceRecord[]
      readonly alias?: string
    }
  | { readonly kind: 'nodata'; readonly soa: ResourceRecord }
  | { readonly kind: 'nxdomain'; readonly soa: ResourceRecord }
  | { readonly kind: 'servfail' }
  | { readonly kind: 'refused' }
  /** not ours, or not found and left to the next */
  | { readonly kind: 'pass' }

const maxAliases = 10
const versionTtlSeconds = 28800

/** Answers one question (class IN). `name` is normal. */
export function answer(zone: Zone, options: ZoneOptions, name: string, type: number): Answer {
  const zoneName = [options.domain, ...options.reverseZones].find((candidate) => isWithin(name, candidate))
  if (zoneName === undefined) return { kind: 'pass' }
  if (type === recordTypes.AXFR || type === recordTypes.IXFR) return { kind: 'refused' }
  const soa = soaRecord(zone, options, zoneName)
  if (name === zoneName && type === recordTypes.SOA) return { kind: 'records', answers: [soa], additionals: [] }
  const found =
    zoneName === options.domain ? lookUp(zone, options, name, type) : lookUpReverse(zone, options, name, type)
  if (found === undefined) {
    if (options.fallthrough.some((candidate) => isWithin(name, candidate))) return { kind: 'pass' }
    return zone.synced ? { kind: 'nxdomain', soa } : { kind: 'servfail' }
  }
  return found.answers.length === 0 ? { kind: 'nodata', soa } : { kind: 'records', additionals: [], ...found }
}

/** No answers: the name exists without records of that type. Undefined: the name does not exist. */
type Found =
  | {
      readonly answers: readonly ResourceRecord[]
      readonly additionals?: readonly ResourceRecord[]
      readonly alias?: string
    }
  | undefined
const nothing: Found = { answers: [] }

function lookUp(zone: Zone, options: ZoneOptions, name: string, type: number): Found {
  const asked = parseClusterName(name, options.domain)
  switch (asked.kind) {
    case 'none':
      return undefined
    case 'empty':
      return name === options.domain && type === recordTypes.NS ? nameservers(zone, options) : nothing
    case 'version':
      if (type !== recordTypes.TXT) return undefined
      return {
        answers: [record(name, type, versionTtlSeconds, { kind: 'txt', texts: ['1.1.0'] })],
      }
    case 'nameserver': {
      const addresses = nameserverAddresses(zone, options).map((entry) => entry.address)
      return { answers: addressRecords(name, options.ttl, type, addresses) }
    }
    case 'namespace':
      return isExposed(zone, options, asked.namespace) ? nothing : undefined
    case 'pod':
      return lookUpPod(zone, options, name, type, asked)
    default:
      if (!isExposed(zone, options, asked.namespace)) return undefined
      return lookUpService(zone, options, name, type, asked)
  }
}

const isExposed = (zone: Zone, options: ZoneOptions, namespace: string): boolean =>
  zone.hasNamespace(namespace) && (options.namespaces.length === 0 || options.namespaces.includes(namespace))

type ServiceName = Extract<ClusterName, { service: string }>

function lookUpService(zone: Zone, options: ZoneOptions, name: string, type: number, asked: ServiceName): Found {
  const key = `${asked.namespace}/${asked.service}`
  const service = zone.service(key)
  if (service === undefined) return undefined
  if (service.kind === 'alias')
    return asked.kind === 'service' ? followAlias(zone, options, name, type, service) : undefined
  if (service.kind === 'virtual' && options.ignoreEmptyServices && isEmpty(zone, key)) return undefined
  const targets =
    service.kind === 'headless' || asked.kind === 'endpoint'
      ? endpointTargets(zone, options, service, asked)
      : virtualTargets(options, service, asked)
  if (targets === undefined) return undefined
  if (type === recordTypes.SRV) return serviceRecords(name, options.ttl, targets)
  return {
    answers: addressRecords(
      name,
      options.ttl,
      type,
      targets.map((target) => target.address),
    ),
  }
}

const isEmpty = (zone: Zone, key: string) => [...zone.slicesOf(key)].every((slice) => slice.endpoints.length === 0)

/** One address under a name, for one port: what an SRV record says, and an address record leaves out. */
type Target = { readonly address: string; readonly host: string; readonly port: number | undefined }

function virtualTargets(options: ZoneOptions, service: ServiceView, asked: ServiceName): Target[] | undefined {
  const ports = service.ports.filter((port) => asksFor(asked, port.name, port.protocol))
  if (ports.length === 0) return undefined
  const host = `${service.name}.${service.namespace}.svc.${options.domain}`
  return ports.flatMap((port) => service.clusterIps.map((address) => ({ address, host, port: port.port })))
}

function endpointTargets(
  zone: Zone,
  options: ZoneOptions,
  service: ServiceView,
  asked: ServiceName,
): Target[] | undefined {
  const targets: Target[] = []
  for (const slice of zone.slicesOf(`${service.namespace}/${service.name}`))
    for (const endpoint of slice.endpoints)
      for (const address of endpoint.addresses) {
        const host = endpointName(endpoint, address, options)
        if (asked.kind === 'endpoint' && asked.endpoint !== host) continue
        for (const port of slice.ports)
          if (asksFor(asked, port.name, port.protocol))
            targets.push({
              address,
              host: `${host}.${service.name}.${service.namespace}.svc.${options.domain}`,
              port: port.port,
            })
      }
  return targets.length === 0 ? undefined : targets
}

const asksFor = (asked: ServiceName, port: string, protocol: string) =>
  asked.kind !== 'port' ||
  ((asked.port === '' || asked.port === port) && (asked.protocol === '' || asked.protocol === protocol))

/** The label of an endpoint below its Service's name: its hostname, else its pod if so asked, else its address dashed. */
export function endpointName(
  endpoint: EndpointView,
  address: string,
  options: Pick<ZoneOptions, 'endpointPodNames'>,
): string {
  if (endpoint.hostname) return endpoint.hostname
  if (options.endpointPodNames && endpoint.pod) return endpoint.pod
  const dashed = address.replaceAll(/[.:]/g, '-')
  return dashed.endsWith('-') ? `${dashed}0` : dashed
}

function addressRecords(name: string, ttl: number, type: number, addresses: readonly string[]): ResourceRecord[] {
  const bytesWanted = type === recordTypes.A ? 4 : type === recordTypes.AAAA ? 16 : 0
  if (bytesWanted === 0) return []
  const records: ResourceRecord[] = []
  for (const address of addresses.length > 1 ? new Set(addresses) : addresses) {
    const bytes = parseIp(address)
    if (bytes?.length === bytesWanted) records.push(record(name, type, ttl, { kind: 'address', bytes }))
  }
  return records
}

/** SRV records with the addresses of their targets. Weights share 100 among all targets, at least 1 each. */
function serviceRecords(name: string, ttl: number, targets: readonly Target[]): Found {
  const weight = Math.max(1, Math.floor(100 / targets.length))
  const answers = new Map<string, ResourceRecord>()
  const additionals = new Map<string, ResourceRecord>()
  for (const { address, host, port } of targets) {
    if (port === undefined) continue
    answers.set(
      `${host} ${port}`,
      record(name, recordTypes.SRV, ttl, { kind: 'srv', priority: 0, weight, port, target: host }),
    )
    const bytes = parseIp(address)
    if (bytes === undefined) continue
    const type = bytes.length === 4 ? recordTypes.A : recordTypes.AAAA
    additionals.set(`${host} ${address}`, record(host, type, ttl, { kind: 'address', bytes }))
  }
  return { answers: [...answers.values()], additionals: [...additionals.values()] }
}

/** An ExternalName: a CNAME, and inside the cluster's zone what it leads to. Loops and chains over 10 end without records. */
function followAlias(zone: Zone, options: ZoneOptions, name: string, type: number, first: ServiceView): Found {
  // SRV records of an alias do not exist; an address is no name to lead to.
  if (first.externalName === undefined || parseIp(first.externalName) !== undefined) return undefined
  if (type === recordTypes.SRV) return nothing
  const wanted = ([recordTypes.A, recordTypes.AAAA, recordTypes.CNAME] as number[]).includes(type)
  if (!wanted) return nothing
  const answers: ResourceRecord[] = []
  const seen = new Set<string>()
  for (let owner = name, service: ServiceView | undefined = first; service?.externalName !== undefined;) {
    const target: string = service.externalName
    answers.push(record(owner, recordTypes.CNAME, options.ttl, { kind: 'name', target }))
    if (type === recordTypes.CNAME) return { answers }
    if (seen.has(owner) || target === owner || answers.length > maxAliases + 1) return nothing
    seen.add(owner)
    if (!isWithin(target, options.domain)) return { answers, alias: target }
    const next = parseClusterName(target, options.domain)
    service =
      next.kind === 'service' && isExposed(zone, options, next.namespace)
        ? zone.service(`${next.namespace}/${next.service}`)
        : undefined
    owner = target
    if (service?.kind === 'alias') continue
    const end = lookUp(zone, options, target, type)
    return end === undefined || end.answers.length === 0 ? nothing : { answers: [...answers, ...end.answers] }
  }
  return nothing
}

function lookUpPod(
  zone: Zone,
  options: ZoneOptions,
  name: string,
  type: number,
  asked: Extract<ClusterName, { kind: 'pod' }>,
): Found {
  if (options.pods === 'disabled' || !isExposed(zone, options, asked.namespace)) return undefined
  const dashes = asked.pod.split('-').length - 1
  const isV4 = dashes === 3 && !asked.pod.includes('--')
  const bytes = parseIp(asked.pod.replaceAll('-', isV4 ? '.' : ':'))
  if (bytes === undefined) return undefined
  const address = formatIp(bytes)
  if (options.pods === 'verified') {
    const isThere = zone.podsWithIp(address).some((pod) => pod.namespace === asked.namespace)
    if (!isThere) return undefined
  }
  return { answers: addressRecords(name, options.ttl, type, [address]) }
}

function lookUpReverse(zone: Zone, options: ZoneOptions, name: string, type: number): Found {
  if (options.reverseZones.includes(name)) return nothing
  const text = parseReverseName(name)
  const bytes = text === undefined ? undefined : parseIp(text)
  if (bytes === undefined) return undefined
  const address = formatIp(bytes)
  const domain = `svc.${options.domain}`
  const services = zone
    .servicesWithIp(address)
    .filter((service) => isExposed(zone, options, service.namespace))
    .map((service) => `${service.name}.${service.namespace}.${domain}`)
  // A virtual IP is its Service's; only other addresses are looked for among endpoints.
  const names =
    services.length > 0
      ? services
      : zone
          .slicesWithIp(address)
          .filter((slice) => isExposed(zone, options, slice.namespace))
          .flatMap((slice) =>
            slice.endpoints
              .filter((endpoint) => endpoint.addresses.includes(address))
              .map(
                (endpoint) =>
                  `${endpointName(endpoint, address, options)}.${slice.service}.${slice.namespace}.${domain}`,
              ),
          )
  if (names.length === 0) return undefined
  if (type !== recordTypes.PTR) return nothing
  return { answers: [...new Set(names)].map((target) => record(name, type, options.ttl, { kind: 'name', target })) }
}

/** The names and addresses of the Services that this server is an endpoint of, else its own addresses. */
function nameserverAddresses(zone: Zone, options: ZoneOptions): { readonly host: string; readonly address: string }[] {
  const keys = new Set(
    options.localIps.flatMap((ip) => zone.slicesWithIp(ip).map((slice) => `${slice.namespace}/${slice.service}`)),
  )
  if (keys.size === 0) return options.localIps.map((address) => ({ host: `ns.dns.${options.domain}`, address }))
  return [...keys].flatMap((key) => {
    const service = zone.service(key)
    if (service === undefined) return []
    const asked: ServiceName = { kind: 'service', namespace: service.namespace, service: service.name }
    const targets =
      service.kind === 'headless'
        ? endpointTargets(zone, options, service, asked)
        : virtualTargets(options, service, asked)
    return targets ?? []
  })
}

function nameservers(zone: Zone, options: ZoneOptions): Found {
  const entries = nameserverAddresses(zone, options)
  const hosts = [...new Set(entries.map((entry) => entry.host))]
  const additionals = hosts.flatMap((host) => {
    const addresses = entries.filter((entry) => entry.host === host).map((entry) => entry.address)
    return [recordTypes.A, recordTypes.AAAA].flatMap((type) => addressRecords(host, options.ttl, type, addresses))
  })
  const answers = hosts.map((target) => record(options.domain, recordTypes.NS, options.ttl, { kind: 'name', target }))
  return { answers, additionals }
}

function soaRecord(zone: Zone, options: ZoneOptions, name: string): ResourceRecord {
  const suffix = name === '' ? '' : `.${name}`
  const soa = {
    mname: `ns.dns${suffix}`,
    rname: `hostmaster${suffix}`,
    serial: zone.serial,
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: options.ttl,
  }
  return record(name, recordTypes.SOA, Math.min(options.ttl, 300), { kind: 'soa', soa })
}

const record = (name: string, type: number, ttl: number, data: ResourceRecord['data']): ResourceRecord => ({
  name,
  type,
  class: classIn,
  ttl,
  data,
})

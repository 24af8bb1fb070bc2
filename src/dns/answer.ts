// The decision: what one question about the cluster's names is answered. Kubernetes' DNS specification 1.1.0, and
// CoreDNS's kubernetes plugin wherever the specification is silent.

import { nameserverAddresses, nameservers, soaRecord } from '#dns/authority.ts'
import { addressRecords, record } from '#dns/records.ts'
import type { ServiceView } from '#dns/state.ts'
import { parseClusterName, parseReverseName, type ClusterName, type ServiceName } from '#dns/question.ts'
import { endpointName, endpointTargets, type Target, virtualTargets } from '#dns/targets.ts'
import { isWithin } from '#dns/wire/name.ts'
import { recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import type { Zone, ZoneOptions } from '#dns/zone.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

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

/** SRV records with the addresses of their targets. Weights share 100 among all targets, at least 1 each. */
function serviceRecords(name: string, ttl: number, targets: readonly Target[]): Found {
  const weight = Math.max(1, Math.floor(100 / targets.length))
  const answers: ResourceRecord[] = []
  const additionals: ResourceRecord[] = []
  // Most have one target, of which nothing can be said twice.
  const said = targets.length > 1 ? new Set<string>() : undefined
  for (const { address, host, port } of targets) {
    if (port === undefined) continue
    if (isNew(said, host, port))
      answers.push(record(name, recordTypes.SRV, ttl, { kind: 'srv', priority: 0, weight, port, target: host }))
    const bytes = parseIp(address)
    if (bytes === undefined || !isNew(said, host, address)) continue
    const type = bytes.length === 4 ? recordTypes.A : recordTypes.AAAA
    additionals.push(record(host, type, ttl, { kind: 'address', bytes }))
  }
  return { answers, additionals }
}

function isNew(said: Set<string> | undefined, host: string, what: string | number): boolean {
  if (said === undefined) return true
  const before = said.size
  return said.add(`${host} ${what}`).size > before
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

// What a zone says of itself: who answers for it, and its SOA record.

import { addressRecords, record } from '#dns/records.ts'
import type { ServiceName } from '#dns/question.ts'
import { endpointTargets, virtualTargets } from '#dns/targets.ts'
import { recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import type { Zone, ZoneOptions } from '#dns/zone.ts'

/** The names and addresses of the Services that this server is an endpoint of, else its own addresses. */
export function nameserverAddresses(
  zone: Zone,
  options: ZoneOptions,
): { readonly host: string; readonly address: string }[] {
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

/** NS of the cluster's domain, with the addresses of who they are. */
export function nameservers(
  zone: Zone,
  options: ZoneOptions,
): { readonly answers: readonly ResourceRecord[]; readonly additionals: readonly ResourceRecord[] } {
  const entries = nameserverAddresses(zone, options)
  const hosts = [...new Set(entries.map((entry) => entry.host))]
  const additionals = hosts.flatMap((host) => {
    const addresses = entries.filter((entry) => entry.host === host).map((entry) => entry.address)
    return [recordTypes.A, recordTypes.AAAA].flatMap((type) => addressRecords(host, options.ttl, type, addresses))
  })
  const answers = hosts.map((target) => record(options.domain, recordTypes.NS, options.ttl, { kind: 'name', target }))
  return { answers, additionals }
}

export function soaRecord(zone: Zone, options: ZoneOptions, name: string): ResourceRecord {
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

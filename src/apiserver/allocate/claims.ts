// Whose each cluster address is, for all to see: one IPAddress object per address, made before its Service is stored
// and gone after it. What stands in the store counts for every server, so two of them never give one address away.

import type { Objects } from '#apiserver/kind.ts'
import { heldBy } from '#apiserver/allocate/service.ts'
import type { Service } from '#api/core.ts'
import { type IPAddress, ipAddresses } from '#api/networking.ts'
import { StatusError } from '#api/status.ts'
import { canonicalIp, ipFamily } from '#lib/ip.ts'

const managedBy = { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' }

/** Answers the address that someone else has; then none of `ips` is claimed. */
export async function claim(ips: readonly string[], service: Service, objects: Objects): Promise<string | undefined> {
  const claimed: string[] = []
  try {
    for (const ip of ips) {
      if (!(await create(claimOf(ip, service), objects))) {
        await disclaim(claimed, objects)
        return ip
      }
      claimed.push(ip)
    }
  } catch (error) {
    await disclaim(claimed, objects)
    throw error
  }
  return undefined
}

export async function disclaim(ips: readonly string[], objects: Objects): Promise<void> {
  for (const ip of ips) await objects.delete(ipAddresses, '', ip)
}

/** A claim that is younger may be of a Service that another server is about to store. */
const youngMs = 60_000

/** After a crash: claims of stored Services that are missing come back, claims of Services that are gone go. */
export async function mendClaims(services: readonly Service[], objects: Objects, nowMs: number): Promise<void> {
  const owners = new Map<string, Service>()
  for (const service of services) for (const ip of heldBy(service).addresses) owners.set(canonicalIp(ip) ?? ip, service)
  for (const found of await objects.list(ipAddresses)) {
    const ip = found.metadata?.name ?? ''
    const isOurs = found.metadata?.labels?.['ipaddress.kubernetes.io/managed-by'] === 'ipallocator.k8s.io'
    const ageMs = nowMs - Date.parse(found.metadata?.creationTimestamp ?? '')
    if (isOurs && !owners.has(ip) && ageMs > youngMs) await objects.delete(ipAddresses, '', ip)
    owners.delete(ip)
  }
  for (const [ip, service] of owners) await create(claimOf(ip, service), objects)
}

function claimOf(ip: string, { metadata: { namespace = '', name = '' } = {} }: Service): IPAddress {
  const family = { 'ipaddress.kubernetes.io/ip-family': `IPv${ipFamily(ip) ?? 4}` }
  return {
    metadata: { name: ip, labels: { ...family, ...managedBy } },
    spec: { parentRef: { resource: 'services', namespace, name } },
  }
}

async function create(address: IPAddress, objects: Objects): Promise<boolean> {
  try {
    await objects.create(ipAddresses, address)
    return true
  } catch (error) {
    if (error instanceof StatusError && error.status.reason === 'AlreadyExists') return false
    throw error
  }
}

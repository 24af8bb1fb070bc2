// /etc/resolv.conf of a pod, by its dnsPolicy and dnsConfig, within the limits that Kubernetes sets: 3 servers, 32
// search domains of 2048 characters together.

import type { Pod } from '#api/core.ts'
import { mergeOptions } from '#lib/resolv-conf.ts'
import type { DnsConfig } from '#node/runtime.ts'

const most = { servers: 3, searches: 32, searchCharacters: 2048, domainCharacters: 253 } as const

export type ClusterDns = {
  /** addresses of the cluster's DNS Service; empty: every pod uses the node's servers */
  readonly servers: readonly string[]
  readonly domain: string
}

/** What a pod resolves names with; `warnings` are texts for events with the reason DNSConfigForming. */
export function planDns(
  pod: Pod,
  cluster: ClusterDns,
  node: DnsConfig,
): { readonly dns: DnsConfig; readonly warnings: readonly string[] } {
  const base = baseOf(pod, cluster, node)
  const own = pod.spec?.dnsConfig
  const merged: DnsConfig = {
    servers: unique([...base.servers, ...(own?.nameservers ?? [])]),
    searches: unique([...base.searches, ...(own?.searches ?? [])]),
    options: mergeOptions(base.options, (own?.options ?? []).map(renderOption)),
  }
  return withinLimits(merged)
}

function baseOf(pod: Pod, cluster: ClusterDns, node: DnsConfig): DnsConfig {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst'
  if (policy === 'None') return { servers: [], searches: [], options: [] }
  const usesNode = policy === 'Default' || (policy === 'ClusterFirst' && pod.spec?.hostNetwork === true)
  if (usesNode || cluster.servers.length === 0) return node
  const { domain } = cluster
  const own = domain === '' ? [] : [`${pod.metadata?.namespace}.svc.${domain}`, `svc.${domain}`, domain]
  return { servers: cluster.servers, searches: unique([...own, ...node.searches]), options: ['ndots:5'] }
}

function withinLimits(dns: DnsConfig): { readonly dns: DnsConfig; readonly warnings: readonly string[] } {
  const warnings: string[] = []
  const servers = dns.servers.slice(0, most.servers)
  if (servers.length < dns.servers.length)
    warnings.push(
      `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(' ')}`,
    )
  let searches = dns.searches.slice(0, most.searches).filter((domain) => domain.length <= most.domainCharacters)
  while (searches.join(' ').length > most.searchCharacters) searches = searches.slice(0, -1)
  if (searches.length < dns.searches.length)
    warnings.push(
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    )
  return { dns: { servers, searches, options: dns.options }, warnings }
}

const unique = (texts: readonly string[]) => [...new Set(texts)]
const renderOption = (option: { readonly name?: string; readonly value?: string }) =>
  option.value ? `${option.name}:${option.value}` : (option.name ?? '')

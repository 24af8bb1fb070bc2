// effect: asks the kernel and the machine what they can do
// Which address families this machine has, and the rules' writer for each, in the mode that was asked for.
import { readFileSync } from 'node:fs'
import type { PartContext } from '#daemon/part.ts'
import type { Dataplane } from '#proxy/dataplane.ts'
import type { Environment } from '#proxy/environment.ts'
import { collectCounters } from '#proxy/iptables/counter-metrics.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import { openIptablesPlanes } from '#proxy/open-iptables.ts'
import { openIpvsPlanes } from '#proxy/open-ipvs.ts'
import { openNftablesPlanes } from '#proxy/open-nftables.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { Family } from '#proxy/state.ts'

/** Makes the writer of a family; again whenever what its rules depend on has changed. */
export type OpenDataplane = (environment: Environment) => Dataplane

/** By family. Throws UserError where the mode cannot work here at all. */
export async function openDataplanes(
  options: ProxyOptions,
  { log, registry }: PartContext,
  metrics: ProxyMetrics,
): Promise<ReadonlyMap<Family, OpenDataplane>> {
  const families: readonly Family[] = hasIpv6() ? [4, 6] : [4]
  if (options.mode === 'nftables') return openNftablesPlanes(families, options, metrics)
  if (options.mode === 'ipvs') return await openIpvsPlanes(families, options, log)
  collectCounters(registry)
  return await openIptablesPlanes(families, options, log, metrics)
}

/** The kernel has IPv6, and it is not turned off. */
function hasIpv6(): boolean {
  try {
    readFileSync('/proc/self/net/if_inet6')
    return readFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', 'utf8').trim() !== '1'
  } catch {
    return false
  }
}

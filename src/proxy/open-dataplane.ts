// effect: looks for iptables and what the kernel can do
// Which address families this machine has, and the rules' writer for each, in the mode that was asked for.
import { readFileSync } from 'node:fs'
import { UserError } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { findIptables, type Iptables, IptablesError } from '#kernel/iptables/program.ts'
import type { Dataplane } from '#proxy/dataplane.ts'
import type { Environment } from '#proxy/environment.ts'
import { IptablesDataplane } from '#proxy/iptables/iptables-dataplane.ts'
import { isConntrackLiberal } from '#proxy/kernel-settings.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { Family } from '#proxy/state.ts'

/** Makes the writer of a family; again whenever what its rules depend on has changed. */
export type OpenDataplane = (environment: Environment) => Dataplane

/** By family. Throws UserError where the mode cannot work here at all. */
export async function openDataplanes(
  options: ProxyOptions,
  log: Logger,
  metrics: ProxyMetrics,
): Promise<ReadonlyMap<Family, OpenDataplane>> {
  const families: readonly Family[] = hasIpv6() ? [4, 6] : [4]
  const liberal = isConntrackLiberal()
  if (liberal) log.info('nf_conntrack_tcp_be_liberal set, not installing DROP rules for INVALID packets')
  const found = new Map<Family, OpenDataplane>()
  const missing: Error[] = []
  for (const family of families) {
    const iptables = await findOrTell(family, options, missing, log)
    if (iptables === undefined) continue
    found.set(family, (environment) => {
      const label = `IPv${family}`
      const settings = {
        masqueradeMark: 2 ** options.masqueradeBit,
        masqueradeAll: options.masqueradeAll,
        local: environment.local,
        localhostNodePorts: environment.localhostNodePorts,
        nodePortIps: environment.nodePortIps,
        conntrackLiberal: liberal,
      }
      return new IptablesDataplane(iptables, settings, log, {
        written({ rules, total }) {
          for (const table of ['filter', 'nat'] as const) {
            metrics.rules.set(total[table], table, label)
            metrics.rulesLast.set(rules[table], table, label)
          }
        },
        failed(whole) {
          metrics.restoreFailures.add(1, label)
          if (!whole) metrics.partialRestoreFailures.add(1, label)
        },
      })
    })
  }
  const [cause] = missing
  if (found.size === 0 && cause !== undefined)
    throw new UserError('iptables is not available on this host', {
      code: 'NoIptables',
      remedy: 'install it (on Debian: apt-get install iptables), or choose another --proxy-mode',
      cause,
    })
  return found
}

async function findOrTell(
  family: Family,
  { iptablesBackend }: ProxyOptions,
  missing: Error[],
  log: Logger,
): Promise<Iptables | undefined> {
  try {
    const iptables = await findIptables(family, { backend: iptablesBackend })
    const { command, version, backend } = iptables
    log.debug('Found iptables', { ipFamily: `IPv${family}`, command, version, backend })
    return iptables
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error
    log.info('No iptables support for family', { ipFamily: `IPv${family}`, error: error.message })
    missing.push(error)
    return undefined
  }
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

// effect: looks for iptables
import { UserError } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { findIptables, type Iptables, IptablesError } from '#kernel/iptables/program.ts'
import { IptablesDataplane } from '#proxy/iptables/iptables-dataplane.ts'
import { isConntrackLiberal } from '#proxy/kernel-settings.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import type { OpenDataplane } from '#proxy/open-dataplane.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { Family } from '#proxy/state.ts'

/** The families that there is an iptables for. Throws UserError where there is none at all. */
export async function openIptablesPlanes(
  families: readonly Family[],
  options: ProxyOptions,
  log: Logger,
  metrics: ProxyMetrics,
): Promise<ReadonlyMap<Family, OpenDataplane>> {
  const liberal = isConntrackLiberal()
  if (liberal) log.info('nf_conntrack_tcp_be_liberal set, not installing DROP rules for INVALID packets')
  const planes = new Map<Family, OpenDataplane>()
  let cause: Error | undefined
  for (const family of families) {
    const found = await findOrTell(family, options, log)
    if (found instanceof Error) cause = found
    else planes.set(family, opener(found, options, liberal, log, metrics))
  }
  if (planes.size === 0)
    throw new UserError('iptables is not available on this host', {
      code: 'NoIptables',
      remedy: 'install it (on Debian: apt-get install iptables), or choose --proxy-mode nftables',
      cause,
    })
  return planes
}

async function findOrTell(family: Family, { iptablesBackend }: ProxyOptions, log: Logger): Promise<Iptables | Error> {
  try {
    const iptables = await findIptables(family, { backend: iptablesBackend })
    const { command, version, backend } = iptables
    log.debug('Found iptables', { ipFamily: `IPv${family}`, command, version, backend })
    return iptables
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error
    log.info('No iptables support for family', { ipFamily: `IPv${family}`, error: error.message })
    return error
  }
}

function opener(
  iptables: Iptables,
  { masqueradeAll, masqueradeBit }: ProxyOptions,
  conntrackLiberal: boolean,
  log: Logger,
  metrics: ProxyMetrics,
): OpenDataplane {
  const label = `IPv${iptables.family}`
  const masqueradeMark = 2 ** masqueradeBit
  return ({ local, localhostNodePorts, nodePortIps }) =>
    new IptablesDataplane(
      iptables,
      { masqueradeMark, masqueradeAll, local, localhostNodePorts, nodePortIps, conntrackLiberal },
      log,
      {
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
      },
    )
}

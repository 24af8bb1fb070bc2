// effect: asks the kernel what it can do
import { UserError } from '#daemon/error.ts'
import { OwnGenerations } from '#kernel/netfilter/own-generations.ts'
import type { OpenDataplane } from '#proxy/open-dataplane.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import { missingRequirements } from '#proxy/nftables/requirements.ts'
import type { ProxyMetrics } from '#proxy/metrics.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { Family } from '#proxy/state.ts'

/** Throws UserError that names what this kernel lacks. */
export function openNftablesPlanes(
  families: readonly Family[],
  { masqueradeBit, masqueradeAll }: ProxyOptions,
  metrics: ProxyMetrics,
): ReadonlyMap<Family, OpenDataplane> {
  const missing = new Set(families.flatMap((family) => missingRequirements(family)))
  if (missing.size > 0)
    throw new UserError(`nftables mode does not work on this kernel: it lacks ${[...missing].join(', ')}`, {
      code: 'NoNftables',
      remedy: 'load the modules named, or choose --proxy-mode iptables',
    })
  const own = new OwnGenerations()
  const open =
    (family: Family): OpenDataplane =>
    ({ local, nodePortIps, serviceCidrs }) =>
      new NftablesDataplane(
        { family, masqueradeMark: 2 ** masqueradeBit, masqueradeAll, local, nodePortIps, serviceCidrs },
        { failed: () => metrics.nftablesFailures.add(1, `IPv${family}`) },
        undefined,
        own,
      )
  return new Map(families.map((family) => [family, open(family)]))
}

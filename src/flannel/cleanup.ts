// effect: links, routes, iptables programs, files
// Takes away what the pod network has set on this machine, when the machine leaves its cluster.
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTables } from '#kernel/iptables/restore.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { families, type Family } from '#flannel/lease.ts'
import { Ledger } from '#flannel/ledger.ts'
import { renderRemoval } from '#flannel/masquerade/rules.ts'
import { applyNetwork } from '#flannel/network.ts'
import { Tunnels } from '#flannel/tunnel/tunnels.ts'

/** Repeatable. What nobody has noted (see Ledger) is not ours and stays. */
export async function cleanup(subnetFile: string, log: Logger): Promise<void> {
  const ledgerFile = join(dirname(subnetFile), 'fairway-routes.json')
  using route = openRoute(undefined)
  await using tunnels = new Tunnels({ log, registry: createRegistry(), netns: undefined, onEnd: () => {} })
  applyNetwork({ route, tunnels, log, netns: undefined }, [], new Ledger(ledgerFile))
  for (const family of families) await removeRules(family, log)
  for (const file of [ledgerFile, subnetFile]) rmSync(file, { force: true })
}

async function removeRules(family: Family, log: Logger): Promise<void> {
  try {
    const iptables = await findIptables(family, { netns: undefined })
    const saved = await saveTables(iptables)
    for (const text of [renderRemoval('nat', saved.nat), renderRemoval('filter', saved.filter)])
      if (text !== undefined) await restoreTables(iptables, text)
  } catch (error) {
    // Where there is no iptables there are no rules in it.
    if (!(error instanceof IptablesError)) throw error
    log.info('Left iptables as it is', { ipFamily: `IPv${family}`, why: error.message })
  }
}

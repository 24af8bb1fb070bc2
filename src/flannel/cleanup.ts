// effect: links, routes, iptables programs, netlink sockets, files
// Takes away what the pod network has set on this machine, when the machine leaves its cluster.
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { families } from '#flannel/lease.ts'
import { Ledger } from '#flannel/ledger.ts'
import { removeChains, removeTables } from '#flannel/masquerade/remove-rules.ts'
import { applyNetwork } from '#flannel/network.ts'
import { Tunnels } from '#flannel/tunnel/tunnels.ts'

/** Repeatable. What nobody has noted (see Ledger) is not ours and stays. */
export async function cleanup(subnetFile: string, log: Logger): Promise<void> {
  const ledgerFile = join(dirname(subnetFile), 'fairway-routes.json')
  using route = openRoute(undefined)
  await using tunnels = new Tunnels({ log, registry: createRegistry(), netns: undefined, onEnd: () => {} })
  applyNetwork({ route, tunnels, log, netns: undefined }, [], new Ledger(ledgerFile))
  for (const family of families) {
    await removeChains(family, { netns: undefined, log })
    removeTables(family, { netns: undefined, log })
  }
  for (const file of [ledgerFile, subnetFile]) rmSync(file, { force: true })
}

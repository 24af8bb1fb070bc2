// effect: iptables programs, netlink sockets
// Rules that another run left behind. Those of another mode of ours go once the new ones are in place; whose rules in
// iptables are tells an empty table of nftables, since they look just like kube-proxy's.
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import type { PartContext } from '#daemon/part.ts'
import { findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTable } from '#kernel/iptables/restore.ts'
import { openIpset } from '#kernel/ipset/ipset.ts'
import { openIpvs } from '#kernel/ipvs/ipvs.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { NftablesError, openNftables } from '#kernel/nftables/nftables.ts'
import { type IptablesUser, renderCleanup } from '#proxy/iptables/cleanup-text.ts'
import { outline } from '#proxy/iptables/found.ts'
import { dummyLink } from '#proxy/ipvs/options.ts'
import { isInUse, removeIpvs, retireAddresses } from '#proxy/ipvs/remove-ipvs.ts'
import { tableName } from '#proxy/nftables/options.ts'
import type { ProxyMode } from '#proxy/options.ts'

/** What an empty table in nftables says of who wrote rules elsewhere. */
const inIptables = 'Services, by fairway proxy in iptables'
const inIpvs = 'Services, by fairway proxy in IPVS'
/** Stays until the last of IPVS mode is gone. */
const ipvsTable = 'fairway-ipvs'
const families = [4, 6] as const
const kubeProxyTable = 'kube-proxy'
/** Between two looks at connections that still pass through IPVS. */
const drainMs = 5000

export type LeftoversContext = Pick<PartContext, 'clock' | 'log' | 'signal'>

/** Looks before anything is written; the answer takes away, after it, what was left by us in another mode. */
export function findLeftovers(mode: ProxyMode, context: LeftoversContext): () => Promise<void> {
  const { log } = context
  const comments = families.map((family) => commentOf(tableName, family))
  const wasIptables = mode !== 'iptables' && comments.includes(inIptables)
  const wasNftables = mode !== 'nftables' && comments.some((comment) => comment !== undefined && comment !== inIptables)
  const wasIpvs = mode !== 'ipvs' && families.some((family) => commentOf(ipvsTable, family) === inIpvs)
  const kept = mode === 'nftables' ? undefined : mode
  return async () => {
    if (mode === 'iptables') for (const family of families) replaceTable(tableName, family, inIptables)
    if (mode === 'ipvs') for (const family of families) replaceTable(ipvsTable, family, inIpvs)
    if (wasIptables) await cleanIptables(['iptables'], log, kept)
    if (mode === 'ipvs') for (const family of families) replaceTable(tableName, family)
    if (wasNftables) log.info('Removed what nftables mode had left')
    if (!wasIpvs) return
    retireIpvs()
    await cleanIptables(['ipvs'], log, kept)
    void drainIpvs(context)
  }
}

/** New connections do not get to IPVS any more; those that it has go on until they end. */
async function drainIpvs({ clock, log, signal }: LeftoversContext): Promise<void> {
  try {
    while (!signal.aborted && !removeUnusedIpvs(log)) await clock.sleep(drainMs, signal)
  } catch (error) {
    if (!signal.aborted) log.warn('Could not remove what IPVS mode had left', { err: messageOf(error) })
  }
}

function retireIpvs(): void {
  using route = openRoute()
  if (route.link(dummyLink) === undefined) return
  for (const family of families) retireAddresses(family, route)
}

/** True where nothing is left. */
function removeUnusedIpvs(log: Logger): boolean {
  {
    using ipvs = openIpvs()
    using ipset = openIpset()
    using route = openRoute()
    const hasLink = route.link(dummyLink) !== undefined
    if (hasLink && ipvs !== undefined && families.some((family) => isInUse(family, { ipvs, ipset, route })))
      return false
  }
  cleanIpvs(log)
  return true
}

/** Takes away all rules of a Service proxy, whoever left them: ours and kube-proxy's, of every mode. */
export async function cleanup(log: Logger): Promise<void> {
  await cleanIptables(['iptables', 'ipvs'], log)
  cleanIpvs(log)
  for (const family of families)
    for (const table of [tableName, kubeProxyTable])
      if (replaceTable(table, family)) log.info('Removed table', { ipFamily: `IPv${family}`, table })
}

function commentOf(table: string, family: 4 | 6): string | undefined {
  using kernel = openNftables(family)
  try {
    return kernel.table(table)?.comment
  } catch {
    // A kernel without nftables has no table of ours either.
    return undefined
  }
}

/** Deletes a table, or puts an empty one with a comment in its place. False where there was none. */
function replaceTable(table: string, family: 4 | 6, comment?: string): boolean {
  using kernel = openNftables(family)
  try {
    const isThere = kernel.table(table) !== undefined
    if (!isThere && comment === undefined) return false
    const batch = new NftBatch(family, table)
    batch.addTable('')
    batch.deleteTable()
    if (comment !== undefined) batch.addTable(comment)
    kernel.commit(batch)
    return isThere
  } catch (error) {
    if (error instanceof NftablesError) return false
    throw error
  }
}

/** In both address families and both back ends, as far as they are there. */
async function cleanIptables(gone: readonly IptablesUser[], log: Logger, kept?: IptablesUser): Promise<void> {
  for (const backend of ['nft', 'legacy'] as const)
    for (const family of families) {
      const from = { ipFamily: `IPv${family}`, backend }
      try {
        if (await cleanBackend(family, backend, gone, kept)) log.info('Removed rules from iptables', from)
      } catch (error) {
        if (!(error instanceof IptablesError)) throw error
        log.debug('No iptables to clean up', { ...from, err: error.message })
      }
    }
}

async function cleanBackend(
  family: 4 | 6,
  backend: 'nft' | 'legacy',
  gone: readonly IptablesUser[],
  kept: IptablesUser | undefined,
): Promise<boolean> {
  const iptables = await findIptables(family, { backend })
  const mangle = await saveTable(iptables, 'mangle')
  const filter = await saveTable(iptables, 'filter')
  const nat = await saveTable(iptables, 'nat')
  const text = renderCleanup(outline({ mangle, filter, nat }), gone, kept)
  if (text !== '') await restoreTables(iptables, text)
  return text !== ''
}

/** A kernel without the link has nothing else of IPVS mode either, and need not load its modules to say so. */
function cleanIpvs(log: Logger): void {
  for (const family of families) replaceTable(ipvsTable, family)
  using route = openRoute()
  if (route.link(dummyLink) === undefined) return
  using ipvs = openIpvs()
  using ipset = openIpset()
  if (ipvs === undefined) return
  for (const family of families) removeIpvs(family, { ipvs, ipset, route })
  log.info('Removed virtual servers, sets and addresses of IPVS mode')
}

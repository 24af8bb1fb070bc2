// effect: iptables programs, netlink sockets
// Rules that another run left behind. Those of another mode of ours go once the new ones are in place; whose rules in
// iptables are tells an empty table of nftables, since they look just like kube-proxy's.
import type { Logger } from '#daemon/log.ts'
import { findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTable } from '#kernel/iptables/restore.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { NftablesError, openNftables } from '#kernel/nftables/nftables.ts'
import { renderCleanup } from '#proxy/iptables/cleanup-text.ts'
import { outline } from '#proxy/iptables/found.ts'
import { tableName } from '#proxy/nftables/options.ts'
import type { ProxyMode } from '#proxy/options.ts'

const inIptables = 'Services, by fairway proxy in iptables'
const kubeProxyTable = 'kube-proxy'

/** Looks before anything is written; the answer takes away, after it, what was left by us in another mode. */
export function findLeftovers(mode: ProxyMode, log: Logger): () => Promise<void> {
  const comments = ([4, 6] as const).map((family) => commentOf(family))
  const wasIptables = comments.includes(inIptables)
  if (mode === 'nftables') return async () => (wasIptables ? await cleanIptables(log) : undefined)
  return () =>
    Promise.try(() => {
      if (comments.some((comment) => comment !== undefined && comment !== inIptables))
        log.info('Removed what nftables mode had left')
      for (const family of [4, 6] as const) replaceTable(tableName, family, inIptables)
    })
}

/** Takes away all rules of a Service proxy, whoever left them: ours and kube-proxy's, of every mode. */
export async function cleanup(log: Logger): Promise<void> {
  await cleanIptables(log)
  for (const family of [4, 6] as const)
    for (const table of [tableName, kubeProxyTable])
      if (replaceTable(table, family)) log.info('Removed table', { ipFamily: `IPv${family}`, table })
}

function commentOf(family: 4 | 6): string | undefined {
  using kernel = openNftables(family)
  try {
    return kernel.table(tableName)?.comment
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
async function cleanIptables(log: Logger): Promise<void> {
  for (const backend of ['nft', 'legacy'] as const)
    for (const family of [4, 6] as const) {
      const from = { ipFamily: `IPv${family}`, backend }
      try {
        if (await cleanBackend(family, backend)) log.info('Removed rules from iptables', from)
      } catch (error) {
        if (!(error instanceof IptablesError)) throw error
        log.debug('No iptables to clean up', { ...from, err: error.message })
      }
    }
}

async function cleanBackend(family: 4 | 6, backend: 'nft' | 'legacy'): Promise<boolean> {
  const iptables = await findIptables(family, { backend })
  const mangle = await saveTable(iptables, 'mangle')
  const filter = await saveTable(iptables, 'filter')
  const nat = await saveTable(iptables, 'nat')
  const text = renderCleanup(outline({ mangle, filter, nat }))
  if (text !== '') await restoreTables(iptables, text)
  return text !== ''
}

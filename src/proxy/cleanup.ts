// effect: iptables programs
// Takes away what a Service proxy left in the kernel: ours, or kube-proxy's of the same layout.
import type { Logger } from '#daemon/log.ts'
import { findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTable } from '#kernel/iptables/restore.ts'
import { renderCleanup } from '#proxy/iptables/cleanup-text.ts'
import { outline } from '#proxy/iptables/found.ts'

/** In both address families and both back ends of iptables, as far as they are there. */
export async function cleanup(log: Logger): Promise<void> {
  for (const backend of ['nft', 'legacy'] as const)
    for (const family of [4, 6] as const) await cleanIptables(log, family, backend)
}

async function cleanIptables(log: Logger, family: 4 | 6, backend: 'nft' | 'legacy'): Promise<void> {
  try {
    const iptables = await findIptables(family, { backend })
    const [mangle, filter, nat] = [
      await saveTable(iptables, 'mangle'),
      await saveTable(iptables, 'filter'),
      await saveTable(iptables, 'nat'),
    ]
    const text = renderCleanup(outline({ mangle, filter, nat }))
    if (text === '') return
    await restoreTables(iptables, text)
    log.info('Removed rules', { ipFamily: `IPv${family}`, backend })
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error
    log.debug('No iptables to clean up', { ipFamily: `IPv${family}`, backend, err: error.message })
  }
}

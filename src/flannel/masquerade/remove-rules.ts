// effect: iptables programs, netlink sockets, /proc
// Takes the rules away that a pod network had in one form, when it is kept in the other or the machine leaves its cluster.
import { existsSync, readFileSync } from 'node:fs'
import type { Logger } from '#daemon/log.ts'
import { findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTables } from '#kernel/iptables/restore.ts'
import { withNetns } from '#kernel/netns.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import type { Family } from '#flannel/lease.ts'
import { isOurChain, renderRemoval } from '#flannel/masquerade/iptables-form.ts'
import { tableName } from '#flannel/masquerade/nftables-form.ts'

const tables = ['nat', 'filter'] as const
type World = { readonly netns: string | undefined; readonly log: Logger }

/** Of iptables; `suffix`: only those of this network. Throws IptablesError where the program is there and refuses. */
export async function removeChains(family: Family, { netns, log }: World, suffix?: string): Promise<void> {
  if (!mayHaveChains(family, netns)) return
  try {
    const iptables = await findIptables(family, { netns })
    const saved = await saveTables(iptables)
    for (const table of tables) {
      const text = renderRemoval(table, saved[table], suffix)
      if (text === undefined) continue
      await restoreTables(iptables, text)
      log.info('Removed the rules in iptables', { ipFamily: `IPv${family}`, table })
    }
  } catch (error) {
    // Where there is no iptables there are no rules in it.
    if (!(error instanceof IptablesError)) throw error
    log.info('Left iptables as it is', { ipFamily: `IPv${family}`, why: error.message })
  }
}

/** Whether it is worth starting a program: a look at what nftables have, where most iptables write, and at who uses the old tables. */
function mayHaveChains(family: Family, netns: string | undefined): boolean {
  try {
    using nftables = openNftables(family, netns)
    if (tables.some((table) => nftables.chains(table).some(isOurChain))) return true
    const names = `/proc/thread-self/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`
    return withNetns(netns, () => existsSync(names) && readFileSync(names, 'utf8') !== '')
  } catch (error) {
    if (error instanceof NetlinkError) return true
    throw error
  }
}

/** Of nftables; `suffix`: only that of this network. A kernel without nftables has no table. */
export function removeTables(family: Family, world: World, suffix?: string): void {
  try {
    deleteTables(family, world, suffix)
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
    world.log.info('Left nftables as they are', { ipFamily: `IPv${family}`, why: error.message })
  }
}

function deleteTables(family: Family, { netns, log }: World, suffix: string | undefined): void {
  using nftables = openNftables(family, netns)
  const isOurs = (name: string) =>
    suffix === undefined ? name.startsWith(tableName(family, '')) : name === tableName(family, suffix)
  for (const name of nftables.tables().filter(isOurs)) {
    const batch = new NftBatch(family, name)
    batch.deleteTable()
    nftables.commit(batch)
    log.info(`Removed table ${name}`)
  }
}

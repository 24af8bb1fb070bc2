// effect: iptables programs, netlink sockets
// Who keeps the rules of one family: in iptables or in nftables. Whoever begins takes away what the other form had.
import type { Logger } from '#daemon/log.ts'
import type { Family } from '#flannel/lease.ts'
import { IptablesKeeper } from '#flannel/masquerade/iptables-keeper.ts'
import { NftablesKeeper } from '#flannel/masquerade/nftables-keeper.ts'
import { removeChains, removeTables } from '#flannel/masquerade/remove-rules.ts'
import type { RulesInput } from '#flannel/masquerade/rules.ts'
import type { RulesForm } from '#flannel/network-config.ts'

export interface RuleKeeper {
  /** Answers the names of the chains or tables that had to be written. */
  ensure(input: RulesInput): Promise<readonly string[]>
}

export type KeeperWorld = { readonly netns: string | undefined; readonly log: Logger }

/** `suffix`: of the network whose rules they are. Throws IptablesError where iptables are wanted and not there. */
export async function openKeeper(
  form: RulesForm,
  family: Family,
  suffix: string,
  world: KeeperWorld,
): Promise<RuleKeeper> {
  if (form === 'nftables') {
    await removeChains(family, world, suffix)
    return new NftablesKeeper(world.netns)
  }
  const keeper = await IptablesKeeper.open(family, world.netns)
  removeTables(family, world, suffix)
  return keeper
}

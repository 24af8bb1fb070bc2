// effect: iptables programs
// Keeps our chains in the tables, whoever else writes there. A look costs one short command, and is spared
// where the kernel says that no table has changed.
import { legacyTableSize } from '#kernel/iptables/legacy-table.ts'
import { findIptables, type Iptables } from '#kernel/iptables/program.ts'
import { restoreTables, saveTables } from '#kernel/iptables/restore.ts'
import { renderRuleLine } from '#kernel/iptables/save.ts'
import { nftablesGeneration } from '#kernel/netfilter/generation.ts'
import { listingOf, planChains, renderRestore } from '#flannel/masquerade/iptables-form.ts'
import type { RuleKeeper } from '#flannel/masquerade/open-keeper.ts'
import type { RulesInput } from '#flannel/masquerade/rules.ts'
import type { Family } from '#flannel/lease.ts'

/** One family's tables. */
export class IptablesKeeper implements RuleKeeper {
  readonly #iptables: Iptables
  /** of the state that was last found right */
  #fingerprint: string | undefined

  private constructor(iptables: Iptables) {
    this.#iptables = iptables
  }

  /** Throws IptablesError where the machine has no iptables for the family. */
  static async open(family: Family, netns: string | undefined): Promise<IptablesKeeper> {
    return new IptablesKeeper(await findIptables(family, { netns }))
  }

  /** Throws IptablesError. */
  async ensure(input: RulesInput): Promise<readonly string[]> {
    const chains = planChains({ ...input, randomFully: input.randomFully && this.#iptables.randomFully })
    // Taken before the look: whoever writes meanwhile makes the next call look again, and so do we ourselves.
    const fingerprint = `${this.#tables()} ${JSON.stringify(chains)}`
    if (this.#fingerprint === fingerprint) return []
    const written: string[] = []
    const saved = await saveTables(this.#iptables)
    for (const chain of chains) {
      const lines = saved[chain.table].split('\n')
      const hasJump = lines.includes(renderRuleLine(chain.from, chain.jump))
      const hasChain = listingIn(lines, chain.name) === listingOf(chain)
      if (hasJump && hasChain) continue
      await restoreTables(this.#iptables, renderRestore(chain, hasJump))
      written.push(chain.name)
    }
    this.#fingerprint = fingerprint
    return written
  }

  /** Changes whenever someone changes a table; what iptables-legacy has to offer misses a rule swapped for another. */
  #tables(): string {
    const { backend, netns, family } = this.#iptables
    if (backend === 'nft') return `generation ${nftablesGeneration(netns)}`
    return (['nat', 'filter'] as const).map((table) => JSON.stringify(legacyTableSize(family, table, netns))).join()
  }
}

/** What `iptables -S CHAIN` would say, out of the lines of iptables-save; nothing of a chain that is not there. */
function listingIn(lines: readonly string[], chain: string): string {
  if (!lines.some((line) => line.startsWith(`:${chain} `))) return ''
  return [`-N ${chain}`, ...lines.filter((line) => line.startsWith(`-A ${chain} `))].join('\n')
}

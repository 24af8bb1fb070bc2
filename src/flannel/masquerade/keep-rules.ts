// effect: iptables programs
// Keeps our chains in the tables, whoever else writes there. A look costs two short commands per chain, and is spared
// where the kernel says that no table has changed.
import { legacyTableSize } from '#kernel/iptables/legacy-table.ts'
import { findIptables, IptablesError, runProgram, type Iptables } from '#kernel/iptables/program.ts'
import { restoreTables } from '#kernel/iptables/restore.ts'
import { renderRuleLine } from '#kernel/iptables/save.ts'
import { nftablesGeneration } from '#kernel/netfilter/generation.ts'
import { listingOf, renderRestore, type OwnChain } from '#flannel/masquerade/rules.ts'
import type { Family } from '#flannel/lease.ts'

const lockWait = ['-w', '5']

/** One family's tables. */
export class RuleKeeper {
  readonly #iptables: Iptables
  /** of the state that was last found right */
  #fingerprint: string | undefined

  private constructor(iptables: Iptables) {
    this.#iptables = iptables
  }

  /** Throws IptablesError where the machine has no iptables for the family. */
  static async open(family: Family, netns: string | undefined): Promise<RuleKeeper> {
    return new RuleKeeper(await findIptables(family, { netns }))
  }

  get randomFully(): boolean {
    return this.#iptables.randomFully
  }

  /** Answers the names of the chains that had to be written. Throws IptablesError. */
  async ensure(chains: readonly OwnChain[]): Promise<readonly string[]> {
    // Taken before the look: whoever writes meanwhile makes the next call look again, and so do we ourselves.
    const fingerprint = `${this.#tables()} ${JSON.stringify(chains)}`
    if (this.#fingerprint === fingerprint) return []
    const written: string[] = []
    for (const chain of chains) {
      const hasJump = (await this.#list(chain.table, chain.from)).includes(renderRuleLine(chain.from, chain.jump))
      const hasChain = (await this.#list(chain.table, chain.name)).join('\n') === listingOf(chain)
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

  /** A chain that is not there has no lines. */
  async #list(table: string, chain: string): Promise<string[]> {
    const { command, netns } = this.#iptables
    try {
      const text = await runProgram(command, [...lockWait, '-t', table, '-S', chain], { netns })
      return text.trimEnd().split('\n')
    } catch (error) {
      if (error instanceof IptablesError && error.code === 'Refused') return []
      throw error
    }
  }
}

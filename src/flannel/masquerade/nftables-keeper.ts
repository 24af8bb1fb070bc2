// effect: netlink sockets
// Keeps our table in nftables. A look reads the table, and is spared where the kernel says that no table has changed.
import { nftablesGeneration } from '#kernel/netfilter/generation.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { tableText } from '#kernel/nftables/table-text.ts'
import { familyName, planTable, textOf, writeTable } from '#flannel/masquerade/nftables-form.ts'
import type { RuleKeeper } from '#flannel/masquerade/open-keeper.ts'
import type { RulesInput } from '#flannel/masquerade/rules.ts'

/** One family's table. */
export class NftablesKeeper implements RuleKeeper {
  readonly #netns: string | undefined
  /** of the state that was last found right */
  #fingerprint: string | undefined

  constructor(netns: string | undefined) {
    this.#netns = netns
  }

  /** Throws NftablesError. */
  async ensure(input: RulesInput): Promise<readonly string[]> {
    const table = planTable(input)
    const { family, name } = table
    const text = textOf(table)
    const fingerprint = `generation ${nftablesGeneration(this.#netns)} ${text}`
    if (this.#fingerprint === fingerprint) return []
    const { tables } = readRuleset({ netns: this.#netns, table: name })
    const found = tables.find((one) => one.family === familyName(family))
    const isRight = found !== undefined && tableText(found) === text
    if (!isRight) {
      using nftables = openNftables(family, this.#netns)
      nftables.commit(writeTable(table))
    }
    this.#fingerprint = fingerprint
    return isRight ? [] : [name]
  }
}

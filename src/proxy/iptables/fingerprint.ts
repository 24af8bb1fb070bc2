// effect: netlink sockets, system calls
// Tells whether anyone has written to tables of iptables: what it reads stays the same text as long as nobody has.
import { legacyTableDigest, legacyTableSize } from '#kernel/iptables/legacy-table.ts'
import type { Iptables } from '#kernel/iptables/program.ts'
import { nftablesGeneration } from '#kernel/netfilter/generation.ts'
import type { Table } from '#proxy/iptables/frame.ts'

/** Legacy tables up to this size are read whole each time, larger ones at each thirtieth. */
const quicklyRead = 1 << 20
const seldom = 30

type Known = { readonly size: string; readonly digest: number }

export class TablesFingerprint {
  readonly #iptables: Iptables
  readonly #tables: readonly Table[]
  readonly #known = new Map<Table, Known>()
  #looks = 0

  constructor(iptables: Iptables, tables: readonly Table[]) {
    this.#iptables = iptables
    this.#tables = tables
  }

  read(): string {
    const { backend, netns } = this.#iptables
    if (backend === 'nft') return `${nftablesGeneration(netns)}`
    this.#looks++
    return this.#tables.map((table) => this.#readLegacy(table)).join()
  }

  #readLegacy(table: Table): string {
    const { family, netns } = this.#iptables
    const now = legacyTableSize(family, table, netns)
    if (now === undefined) return 'none'
    const size = `${now.entries} rules, ${now.bytes} bytes`
    const known = this.#known.get(table)
    const isDue = now.bytes <= quicklyRead || this.#looks % seldom === 0
    if (known?.size === size && !isDue) return `${size}, ${known.digest}`
    const digest = legacyTableDigest(family, table, now.bytes, netns)
    this.#known.set(table, { size, digest })
    return `${size}, ${digest}`
  }
}

// effect: iptables programs, netlink sockets
// The iptables rules of IPVS mode in one address family: written when a set gets its first member or loses its last, which
// is seldom.
import type { Iptables } from '#kernel/iptables/program.ts'
import { restoreTables, saveTables } from '#kernel/iptables/restore.ts'
import { renderCleanup } from '#proxy/iptables/cleanup-text.ts'
import { TablesFingerprint } from '#proxy/iptables/fingerprint.ts'
import { type Outline, outline } from '#proxy/iptables/found.ts'
import { ruleLine, TableText } from '#proxy/iptables/table-text.ts'
import type { IpvsOptions } from '#proxy/ipvs/options.ts'
import type { Picture } from '#proxy/ipvs/picture.ts'
import { type ChainRules, ipvsJumps, ipvsRules } from '#proxy/ipvs/rules.ts'

export class IpvsTables {
  readonly #iptables: Iptables
  readonly #options: IpvsOptions
  /** the rules that were written last, by `table CHAIN`; undefined: nothing is known */
  #written: ReadonlyMap<string, string> | undefined
  /** tells whether anyone has written since */
  #fingerprint: string | undefined
  readonly #tables: TablesFingerprint

  constructor(iptables: Iptables, options: IpvsOptions) {
    this.#tables = new TablesFingerprint(iptables, ['filter', 'nat'])
    this.#iptables = iptables
    this.#options = options
  }

  /** Looks at what is there, and writes what differs of chains and jumps. */
  async writeAll(picture: Picture): Promise<void> {
    const found = await this.#look()
    this.#written = undefined
    const rules = this.#rules(picture)
    const text = this.#render(rules, (chain) => found.rulesOf(chain.table, chain.chain), found)
    this.#fingerprint = undefined
    if (text !== '') await restoreTables(this.#iptables, text)
    this.#written = textsOf(rules)
  }

  /** Writes what differs from what was written last. */
  async write(picture: Picture): Promise<void> {
    const written = this.#written
    if (written === undefined) return this.writeAll(picture)
    const rules = this.#rules(picture)
    const text = this.#render(rules, (chain) => written.get(keyOf(chain)))
    if (text === '') return
    this.#written = undefined
    this.#fingerprint = undefined
    await restoreTables(this.#iptables, text)
    this.#written = textsOf(rules)
  }

  async check(): Promise<string | undefined> {
    const fingerprint = this.#tables.read()
    if (fingerprint === this.#fingerprint) return undefined
    const found = await this.#look()
    const missing = ipvsJumps.find((jump) => !found.hasJump(jump))
    if (missing !== undefined) return `${missing.table} ${missing.from} no longer jumps to ${missing.to}`
    for (const [key, text] of this.#written ?? []) {
      const count = found.counts.get(key)
      const wanted = text.split('\n').length - 1
      if (count === undefined) return `${key} is gone`
      if (count !== wanted) return `${key} has ${count} rules instead of ${wanted}`
    }
    this.#fingerprint = fingerprint
    return undefined
  }

  async remove(): Promise<void> {
    const text = renderCleanup(await this.#look(), ['ipvs'])
    this.#written = undefined
    this.#fingerprint = undefined
    if (text !== '') await restoreTables(this.#iptables, text)
  }

  #rules(picture: Picture): readonly ChainRules[] {
    const { randomFully } = this.#iptables
    const { blocked } = picture
    return ipvsRules({ ...this.#options, randomFully, blocked, isEmpty: (set) => picture.isEmpty(set) })
  }

  #render(
    rules: readonly ChainRules[],
    there: (chain: ChainRules) => string | undefined,
    found?: Pick<Outline, 'hasJump'>,
  ): string {
    const tables = { filter: new TableText('filter'), nat: new TableText('nat') }
    for (const chain of rules) if (there(chain) !== textOf(chain)) tables[chain.table].fill(chain.chain, chain.rules)
    if (found !== undefined)
      for (const { table, from, rule, ...jump } of ipvsJumps)
        if (table !== 'mangle' && !found.hasJump({ table, from, rule, ...jump })) tables[table].insert(from, rule)
    return `${tables.nat}${tables.filter}`
  }

  async #look(): Promise<Outline> {
    return outline(await saveTables(this.#iptables))
  }
}

const keyOf = ({ table, chain }: ChainRules) => `${table} ${chain}`
const textOf = ({ chain, rules }: ChainRules) => rules.map((rule) => ruleLine(chain, rule)).join('')
const textsOf = (rules: readonly ChainRules[]) => new Map(rules.map((chain) => [keyOf(chain), textOf(chain)]))

// The lines of one table in the input of iptables-restore: a chain's line makes or empties it, rules follow, chains that
// go are deleted last.
import type { Table } from '#proxy/iptables/frame.ts'

export class TableText {
  readonly #name: Table
  readonly #chains: string[] = []
  readonly #rules: string[] = []
  readonly #deletions: string[] = []
  /** how many rules were appended: all but jumps and single rules put in front */
  added = 0

  constructor(name: Table) {
    this.#name = name
  }

  /** Makes the chain, or empties it. */
  empty(chain: string): void {
    this.#chains.push(`:${chain} - [0:0]\n`)
  }
  add(chain: string, rule: string): void {
    this.#rules.push(ruleLine(chain, rule))
    this.added++
  }
  /** In front of all other rules of the chain. */
  insert(chain: string, rule: string): void {
    this.#rules.push(`-I ${chain} ${rule}\n`)
  }
  remove(chain: string, rule: string): void {
    this.#rules.push(`-D ${chain} ${rule}\n`)
  }
  delete(chain: string): void {
    this.empty(chain)
    this.#deletions.push(`-X ${chain}\n`)
  }
  fill(chain: string, rules: readonly string[]): void {
    this.empty(chain)
    for (const rule of rules) this.add(chain, rule)
  }

  toString(): string {
    const lines = this.#chains.length + this.#rules.length + this.#deletions.length
    if (lines === 0) return ''
    return `*${this.#name}\n${this.#chains.join('')}${this.#rules.join('')}${this.#deletions.join('')}COMMIT\n`
  }
}

/** A rule as iptables-save prints it, with its line's end. */
export const ruleLine = (chain: string, rule: string): string => `-A ${chain} ${rule}\n`
